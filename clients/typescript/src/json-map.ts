import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions } from "./call-options.js";
import { cpuTarget, cpuView } from "./cpu.js";
import { Dump, type DumpOptions, dumpRequest } from "./dump.js";
import { BpfmapError, protocolError } from "./errors.js";
import { Format, type TypingSchema } from "./gen/bpfmap/v1/element_pb.js";
import type { MapRef } from "./gen/bpfmap/v1/map_pb.js";
import type { MapService } from "./gen/bpfmap/v1/map_service_pb.js";
import type { MapTypes } from "./gen/bpfmap/v1/schema_pb.js";
import type { LookupOptions, UpdateOptions } from "./map-handle.js";
import type { ServiceClient } from "./service-client.js";

/** Types to use instead of the map's own. */
export type TypingInit = MessageInitShape<typeof TypingSchema>;

/**
 * A map's elements as plain values of its types (BTF), which the daemon encodes and
 * decodes: structs are objects, integers past 32 bits strings in decimal (bigints may be
 * written), enumerations their names; see Format. Values of per-CPU maps are arrays with
 * one for each of Map.cpus, unless a CPU is chosen.
 *
 * Throws FAILED_PRECONDITION NO_TYPES where the map has no types and none are named, and
 * INVALID_ARGUMENT JSON_INVALID, with the path of the field, for what is not of the type.
 */
export class JsonMap {
  readonly #maps: ServiceClient<typeof MapService>;
  readonly #ref: MapRef;
  readonly #typing: TypingInit | undefined;

  /** Use MapHandle.json(). @internal */
  constructor(maps: ServiceClient<typeof MapService>, ref: MapRef, typing?: TypingInit) {
    this.#maps = maps;
    this.#ref = ref;
    this.#typing = typing;
  }

  /** The value of a key; undefined where the map has no such element. */
  async lookup(key: unknown, options?: LookupOptions): Promise<unknown> {
    const request = {
      map: this.#ref,
      count: 1,
      jsonKeys: [textOf(key)],
      cpuView: cpuView(options),
      lock: options?.lock,
      format: Format.JSON,
      typing: this.#typing,
    };
    try {
      const { elements } = await this.#maps.lookupElements(request, options);
      return parsed(elements?.jsonValues[0]);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /**
   * Adds the element or changes its value, as `mode` allows. Members that are left out
   * become zero.
   */
  async update(key: unknown, value: unknown, options?: UpdateOptions): Promise<void> {
    await this.#maps.updateElements(
      {
        map: this.#ref,
        elements: { count: 1, jsonKeys: [textOf(key)], jsonValues: [textOf(value)] },
        mode: options?.mode,
        cpuTarget: cpuTarget(options),
        lock: options?.lock,
        typing: this.#typing,
      },
      options,
    );
  }

  /** Deletes the element; false where the map has no such element. */
  async delete(key: unknown, options?: CallOptions): Promise<boolean> {
    const request = { map: this.#ref, count: 1, jsonKeys: [textOf(key)], typing: this.#typing };
    try {
      await this.#maps.deleteElements(request, options);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** All elements, or those that a filter and an order choose; see MapHandle.dump(). */
  async *dump(options?: DumpOptions): AsyncGenerator<[key: unknown, value: unknown], undefined> {
    const json = { ...options, format: Format.JSON, typing: this.#typing };
    const request = dumpRequest(this.#ref, json);
    const dump = new Dump(() => this.#maps.dumpMap(request, options), options);
    for await (const { count, jsonKeys, jsonValues } of dump.chunks()) {
      for (let index = 0; index < count; index++) {
        // Of a column that was not asked for there is nothing.
        const [key, value] = [jsonKeys[index], jsonValues[index]];
        yield [key && parsed(key), value && parsed(value)];
      }
    }
  }

  /** The types of keys and values. */
  async schema(options?: CallOptions): Promise<MapTypes> {
    const request = { map: this.#ref, typing: this.#typing };
    const { schema } = await this.#maps.getMapSchema(request, options);
    if (!schema) throw protocolError("the daemon's answer has no schema");
    return schema;
  }
}

/** The JSON text of a value; bigints become strings, as the daemon tells them. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_name, item) => (typeof item === "bigint" ? String(item) : item));
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) throw protocolError("the daemon's answer has no JSON");
  return JSON.parse(text);
}

function isMissing(error: unknown): boolean {
  return error instanceof BpfmapError && error.reason === "ELEMENT_NOT_FOUND";
}
