import type {
  CreateMapRequestSchema,
  LoadMapRequestSchema,
  LoadStartSchema,
} from "@bpfmapd/client/proto";
import {
  ErrorReason,
  LoadStrategy,
  type Map as MapMessage,
  type MapRef,
  type MapService,
  MapType,
  OnError,
} from "@bpfmapd/client/proto";
import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Elements } from "../sets/index.js";
import {
  type Difference,
  FullError,
  type Keys,
  type TargetFacts,
  type TargetMap,
} from "./target-map.js";

type Method<Name extends keyof (typeof MapService)["method"]> = (typeof MapService)["method"][Name];
type Answer<Name extends keyof (typeof MapService)["method"]> = MessageShape<
  Method<Name>["output"]
>;
type Call<Name extends keyof (typeof MapService)["method"]> = (
  request: MessageInitShape<Method<Name>["input"]>,
  options: { readonly signal: AbortSignal },
) => Promise<Answer<Name>>;

/** The calls of MapService that a set needs, as one who may make them. Errors have a `reason`. */
export interface MapCalls {
  readonly getMap: Call<"getMap">;
  readonly createMap: Call<"createMap">;
  readonly countElements: Call<"countElements">;
  readonly lookupElements: Call<"lookupElements">;
  readonly updateElements: Call<"updateElements">;
  readonly deleteElements: Call<"deleteElements">;
  readonly loadMap: (
    requests: AsyncIterable<MessageInitShape<typeof LoadMapRequestSchema>>,
    options: { readonly signal: AbortSignal },
  ) => Promise<Answer<"loadMap">>;
}

/** Which map a set is for. */
export interface ServedTarget {
  readonly ref: MapRef;
  /** How it is made where it is not there. */
  readonly create?: MessageInitShape<typeof CreateMapRequestSchema> | undefined;
  /** The slot of a map in map, whose inner map is made anew with each generation. */
  readonly outerKey?: Uint8Array | undefined;
}

/** Keys in one call. */
const KEYS = 4096;
const EVICTING: ReadonlySet<MapType> = new Set([MapType.LRU_HASH, MapType.LRU_PERCPU_HASH]);
const FIXED: ReadonlySet<MapType> = new Set([MapType.ARRAY, MapType.PERCPU_ARRAY]);

/** A map of this host, by the daemon's own service: its policy and its audit hold for sets, too. */
export class ServedMap implements TargetMap {
  readonly #calls: MapCalls;
  readonly #target: ServedTarget;
  #map: MapMessage | undefined;

  constructor(calls: MapCalls, target: ServedTarget) {
    this.#calls = calls;
    this.#target = target;
  }

  async describe(signal: AbortSignal): Promise<TargetFacts> {
    const { outerKey } = this.#target;
    const map = await this.#find(signal);
    this.#map = map;
    const identity = `${map.bootId}/${map.id}`;
    const label = `map ${map.name} (id ${map.id})`;
    if (outerKey === undefined) return { identity, label, isAtomic: false, ...factsOf(map) };
    const slot = Buffer.from(outerKey).toString("hex");
    const inner = (await this.#inner(map, outerKey, signal)) ?? map;
    return {
      ...factsOf(inner),
      ...{ identity: `${identity}/${slot}`, label: `slot ${slot} of ${label}`, isAtomic: true },
    };
  }

  async count(signal: AbortSignal): Promise<number> {
    const { count } = await this.#calls.countElements({ map: this.#target.ref }, { signal });
    return Number(count);
  }

  async compare(
    desired: AsyncIterable<Elements>,
    scope: "all" | "own",
    signal: AbortSignal,
  ): Promise<Difference> {
    const strategy = scope === "all" ? LoadStrategy.REPLACE : LoadStrategy.MERGE;
    const { added, changed, removed } = await this.#load(strategy, desired, signal, true);
    return { missing: Number(added), changed: Number(changed), extra: Number(removed ?? 0n) };
  }

  async replace(desired: AsyncIterable<Elements>, signal: AbortSignal): Promise<void> {
    await this.#load(LoadStrategy.REPLACE, desired, signal);
  }

  async put(elements: AsyncIterable<Elements>, signal: AbortSignal): Promise<void> {
    await this.#load(LoadStrategy.MERGE, elements, signal);
  }

  async remove(keys: AsyncIterable<Keys>, signal: AbortSignal): Promise<void> {
    for await (const { count, keys: column } of keys) {
      const keySize = column.length / count;
      for (let from = 0; from < count; from += KEYS) {
        const to = Math.min(count, from + KEYS);
        const some = column.subarray(from * keySize, to * keySize);
        await this.#remove({ count: to - from, keys: some }, signal);
      }
    }
  }

  async #remove({ count, keys }: Keys, signal: AbortSignal): Promise<void> {
    const { ref: map } = this.#target;
    const { type, valueStride = 0 } = this.#map ?? (await this.#find(signal));
    if (FIXED.has(type ?? MapType.UNSPECIFIED)) {
      const values = new Uint8Array(count * valueStride);
      await this.#calls.updateElements({ map, elements: { count, keys, values } }, { signal });
      return;
    }
    const onError = OnError.CONTINUE;
    const { failures } = await this.#calls.deleteElements(
      { map, count, keys, onError },
      { signal },
    );
    const other = failures.find(({ reason }) => reason !== ErrorReason.ELEMENT_NOT_FOUND);
    if (other) throw new Error(`an element cannot be removed: ${ErrorReason[other.reason]}`);
  }

  async #load(
    strategy: LoadStrategy,
    elements: AsyncIterable<Elements>,
    signal: AbortSignal,
    dryRun = false,
  ): Promise<Answer<"loadMap">> {
    const { ref: map, outerKey } = this.#target;
    const { cpus } = this.#map ?? (await this.#find(signal));
    async function* requests(): AsyncGenerator<MessageInitShape<typeof LoadMapRequestSchema>> {
      const start: MessageInitShape<typeof LoadStartSchema> = {
        ...{ map, dryRun },
        strategy: outerKey ? LoadStrategy.REPLACE_ATOMIC : strategy,
        ...(outerKey && { outerKey }),
        ...(cpus.length > 0 && { cpuTarget: { target: { case: "allCpus", value: true } } }),
      };
      yield { kind: { case: "start", value: start } };
      for await (const { count, keys, values } of elements) {
        yield { kind: { case: "elements", value: { count, keys, values } } };
      }
    }
    try {
      return await this.#calls.loadMap(requests(), { signal });
    } catch (error) {
      throw reasonOf(error) === "MAP_FULL" ? full(error) : error;
    }
  }

  async #find(signal: AbortSignal): Promise<MapMessage> {
    const { ref, create } = this.#target;
    try {
      return found((await this.#calls.getMap({ map: ref }, { signal })).map);
    } catch (error) {
      const isMissing = /^(MAP|PIN|HOLD)_NOT_FOUND$/.test(reasonOf(error) ?? "");
      if (!create || !isMissing) throw error;
      return found((await this.#calls.createMap(create, { signal })).map);
    }
  }

  /** The inner map in a slot; undefined where it is empty. */
  async #inner(
    outer: MapMessage,
    key: Uint8Array,
    signal: AbortSignal,
  ): Promise<MapMessage | undefined> {
    const { ref: map } = this.#target;
    const request = { map, keys: key, count: 1, onError: OnError.CONTINUE };
    const { elements } = await this.#calls.lookupElements(request, { signal });
    const object = elements?.objectValues[0]?.object;
    if (object?.case !== "map" || object.value.ref.case !== "id") return undefined;
    const inner = { ref: object.value.ref, bootId: outer.bootId };
    return (await this.#calls.getMap({ map: inner }, { signal })).map;
  }
}

function factsOf({ keySize, valueSize, maxEntries, type }: MapMessage) {
  return { keySize, valueSize, capacity: maxEntries, evicts: EVICTING.has(type) };
}

function found(map: MapMessage | undefined): MapMessage {
  if (!map) throw new Error("the daemon answers without the map");
  return map;
}

/** The word for programs that an error of the service has. */
export function reasonOf(error: unknown): string | undefined {
  const reason = (error as { reason?: unknown } | undefined)?.reason;
  return typeof reason === "string" && reason !== "" ? reason : undefined;
}

function full(error: unknown): FullError {
  return new FullError((error as Error).message, { cause: error });
}
