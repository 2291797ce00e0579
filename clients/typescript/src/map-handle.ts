import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Aggregate,
  type AggregateOptions,
  aggregateOf,
  aggregateRequest,
  type NumberFieldInit,
} from "./aggregate.js";
import { BatchedMap, type BatchingOptions } from "./batch/batched-map.js";
import type { CallOptions } from "./call-options.js";
import { type Element, packColumn, packElements, unpackColumn } from "./columns.js";
import { type CpuTargetOptions, type CpuViewOptions, cpuTarget, cpuView } from "./cpu.js";
import { Dump, type DumpOptions, dumpRequest } from "./dump.js";
import { elementError } from "./element-failure.js";
import { BpfmapError, protocolError } from "./errors.js";
import {
  type ElementFailure,
  type ElementFilterSchema,
  type Elements,
  OnError,
  type UpdateMode,
} from "./gen/bpfmap/v1/element_pb.js";
import { ErrorReason } from "./gen/bpfmap/v1/error_pb.js";
import {
  type Map as BpfMap,
  MapSchema as BpfMapSchema,
  type MapRef,
} from "./gen/bpfmap/v1/map_pb.js";
import type {
  ClearMapResponse,
  CountElementsResponse,
  DeleteElementsResponse,
  LoadMapResponse,
  LookupElementsResponse,
  MapDetailSchema,
  MapService,
  UpdateElementsResponse,
} from "./gen/bpfmap/v1/map_service_pb.js";
import type { ObjectValue } from "./gen/bpfmap/v1/object_pb.js";
import { JsonMap, type TypingInit } from "./json-map.js";
import { type ElementSource, type LoadOptions, loadRequests } from "./load.js";
import { type MapRefInit, mapRef } from "./map-ref.js";
import { type Key, keyColumn, type Value, valueColumn } from "./object.js";
import { type RecordSource, type WriteRecordsOptions, writeRequests } from "./record-writer.js";
import { RecordStream, type RecordsOptions, recordsRequest } from "./records.js";
import type { ServiceClient } from "./service-client.js";
import { Watch, type WatchOptions } from "./watch.js";

/** Options of lookups. */
export interface LookupOptions extends CallOptions, CpuViewOptions {
  /** Take each element's spin lock while reading: only for values with a bpf_spin_lock. */
  lock?: boolean;
}

/** Options of updates. */
export interface UpdateOptions extends CallOptions, CpuTargetOptions {
  /** Whether the element may be added or changed; ANY where absent. */
  mode?: UpdateMode;
  /** Take each element's spin lock while writing: only for values with a bpf_spin_lock. */
  lock?: boolean;
}

/** Options of calls that write several elements. */
export interface ManyOptions {
  /**
   * What to do where one is refused. STOP, the default: the call throws, and what
   * was done before stays (metadata "index" and "applied"). CONTINUE: the answer
   * lists the refused ones in `failures`.
   */
  onError?: OnError;
}

/**
 * One map of the host: a reference and calls that take it. It keeps nothing open,
 * so each call finds the map anew and fails with NOT_FOUND once it is gone.
 *
 * Keys and values are bytes in the host's byte order, of exactly the map's sizes;
 * nothing is padded or cut; where they are kernel objects they are named, not numbered.
 * Values of per-CPU maps have Map.value_stride bytes
 * unless a CPU is chosen. Every failure is a BpfmapError, with the reasons of
 * ErrorReason.
 */
export class MapHandle {
  /** The reference, as requests of `client.maps` take it. */
  readonly ref: MapRef;
  readonly #maps: ServiceClient<typeof MapService>;

  /** Use BpfmapClient.map(). @internal */
  constructor(maps: ServiceClient<typeof MapService>, ref: MapRefInit) {
    this.#maps = maps;
    this.ref = mapRef(ref);
  }

  /** What the kernel knows of the map, and what `detail` asks for beyond it. */
  async get(
    detail?: MessageInitShape<typeof MapDetailSchema>,
    options?: CallOptions,
  ): Promise<BpfMap> {
    const { map } = await this.#maps.getMap({ map: this.ref, detail }, options);
    if (map === undefined) throw protocolError("the daemon's answer has no map");
    return map;
  }

  /** The value of a key; undefined where the map has no such element. */
  async lookup(key: Key, options?: LookupOptions): Promise<Uint8Array | undefined> {
    const answer = await this.#lookupOne(key, options);
    return answer && valuesFound(answer, 1)[0];
  }

  /**
   * The kernel object that the value of a key is, such as a program or an inner map;
   * undefined where the map has no such element, or values of bytes.
   */
  async lookupObject(key: Key, options?: LookupOptions): Promise<ObjectValue | undefined> {
    const answer = await this.#lookupOne(key, options);
    return answer?.elements?.objectValues[0];
  }

  /** The values of keys, in their order, in one call; undefined where there is no such element. */
  async lookupMany(
    keys: readonly Uint8Array[],
    options?: LookupOptions,
  ): Promise<(Uint8Array | undefined)[]> {
    if (keys.length === 0) return [];
    const answer = await this.#maps.lookupElements(
      {
        map: this.ref,
        keys: packColumn(keys, "keys"),
        count: keys.length,
        cpuView: cpuView(options),
        lock: options?.lock,
        onError: OnError.CONTINUE,
      },
      options,
    );
    return valuesFound(answer, keys.length);
  }

  /** Adds the element or changes its value, as `mode` allows. */
  async update(key: Key, value: Value, options?: UpdateOptions): Promise<void> {
    await this.#maps.updateElements(
      {
        map: this.ref,
        elements: { count: 1, ...keyColumn(key), ...valueColumn(value) },
        mode: options?.mode,
        cpuTarget: cpuTarget(options),
        lock: options?.lock,
      },
      options,
    );
  }

  /** Writes elements in order, in one call. For more than a message holds, use load(). */
  async updateMany(
    elements: Iterable<Element>,
    options?: UpdateOptions & ManyOptions,
  ): Promise<UpdateElementsResponse> {
    return this.#maps.updateElements(
      {
        map: this.ref,
        elements: packElements(elements),
        mode: options?.mode,
        cpuTarget: cpuTarget(options),
        lock: options?.lock,
        onError: options?.onError,
      },
      options,
    );
  }

  /** Deletes the element; false where the map has no such element. */
  async delete(key: Key, options?: CallOptions): Promise<boolean> {
    const answer = await unlessMissing(() =>
      this.#maps.deleteElements({ map: this.ref, ...keyColumn(key), count: 1 }, options),
    );
    return answer !== undefined;
  }

  /** Deletes elements in order, in one call. A key that is not there counts as refused. */
  async deleteMany(
    keys: readonly Uint8Array[],
    options?: CallOptions & ManyOptions,
  ): Promise<DeleteElementsResponse> {
    return this.#maps.deleteElements(
      {
        map: this.ref,
        keys: packColumn(keys, "keys"),
        count: keys.length,
        onError: options?.onError,
      },
      options,
    );
  }

  /**
   * The same map with single lookups, updates and deletes that share requests when they
   * are called at the same time. `sizes` are those of get().
   */
  batched(sizes: Pick<BpfMap, "keySize" | "valueStride">, options?: BatchingOptions): BatchedMap {
    return new BatchedMap(this.#maps, this.ref, sizes, options);
  }

  /** Reads and deletes the element in one step; undefined where the map has no such element. */
  async take(key: Uint8Array, options?: CallOptions): Promise<Uint8Array | undefined> {
    return unlessMissing(async () => {
      const answer = await this.#maps.takeElements({ map: this.ref, keys: key, count: 1 }, options);
      return valuesFound(answer, 1)[0];
    });
  }

  /** Takes several elements, each in one step; undefined where there is no such element. */
  async takeMany(
    keys: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<(Uint8Array | undefined)[]> {
    if (keys.length === 0) return [];
    const answer = await this.#maps.takeElements(
      {
        map: this.ref,
        keys: packColumn(keys, "keys"),
        count: keys.length,
        onError: OnError.CONTINUE,
      },
      options,
    );
    return valuesFound(answer, keys.length);
  }

  /**
   * The key after another in the kernel's order, or the first where none is given;
   * undefined after the last.
   */
  async nextKey(key?: Uint8Array, options?: CallOptions): Promise<Uint8Array | undefined> {
    return unlessMissing(async () => {
      const { nextKey } = await this.#maps.nextKey({ map: this.ref, key }, options);
      return nextKey;
    });
  }

  /** Adds values to a queue, a stack or a bloom filter, in order. Returns how many were added. */
  async push(
    values: readonly Uint8Array[],
    options?: CallOptions & {
      /** Where a queue or stack is full, drop its oldest value instead of failing. */
      overwriteOldest?: boolean;
    },
  ): Promise<number> {
    const answer = await this.#maps.pushElements(
      {
        map: this.ref,
        values: packColumn(values, "values"),
        count: values.length,
        overwriteOldest: options?.overwriteOldest,
      },
      options,
    );
    return answer.applied;
  }

  /** Takes up to `maxCount` values out of a queue or stack; none where it is empty. */
  async pop(maxCount = 1, options?: CallOptions): Promise<Uint8Array[]> {
    const { elements } = await this.#maps.popElements({ map: this.ref, maxCount }, options);
    return elements === undefined ? [] : unpackColumn(elements.values, elements.count);
  }

  /** The value that pop() would take next; undefined where the queue or stack is empty. */
  async peek(options?: CallOptions): Promise<Uint8Array | undefined> {
    const { found, value } = await this.#maps.peekElement({ map: this.ref }, options);
    return found ? value : undefined;
  }

  /** Whether a bloom filter may have the value; false means that it surely has not. */
  async mayContain(value: Uint8Array, options?: CallOptions): Promise<boolean> {
    const { found } = await this.#maps.peekElement({ map: this.ref, value }, options);
    return found;
  }

  /** All elements, or those that a filter chooses. Nothing is sent until they are read. */
  dump(options?: DumpOptions): Dump {
    const request = dumpRequest(this.ref, options);
    return new Dump(() => this.#maps.dumpMap(request, options), options);
  }

  /**
   * Writes elements into the map, in chunks and at the daemon's pace. Keys and
   * values are checked against the map's sizes first: an element of the wrong size,
   * and anything that `elements` throws, ends the load. What earlier chunks wrote
   * then stays, and nothing is removed.
   */
  async load(elements: ElementSource, options?: LoadOptions): Promise<LoadMapResponse> {
    const call = { signal: options?.signal, metadata: options?.metadata };
    const slot = options?.outerKey;
    const map =
      slot === undefined ? await this.get(undefined, call) : await this.#inner(slot, call);
    return this.#maps.loadMap(loadRequests(this.ref, map, elements, options), options);
  }

  /** The inner map in a slot, or another that is like it, for its sizes. */
  async #inner(slot: Uint8Array, options: CallOptions): Promise<BpfMap> {
    const value = await this.lookupObject(slot, options);
    if (value?.object.case === "map") {
      const { map } = await this.#maps.getMap({ map: value.object.value }, options);
      if (map !== undefined) return map;
    }
    const { innerMapSpec: spec } = await this.get({ innerMap: true }, options);
    const { keySize = 0, valueSize = 0 } = spec ?? {};
    return create(BpfMapSchema, { keySize, valueSize, valueStride: valueSize });
  }

  /**
   * The contents and their changes, for as long as the loop runs; see Watch. Nothing is
   * sent until it is read.
   */
  watch(options?: WatchOptions): Watch {
    return new Watch(this.ref, (request, call) => this.#maps.watch(request, call), options);
  }

  /**
   * The records of a ring buffer or a perf event array, for as long as the loop runs; see
   * RecordStream. It takes them away from every other consumer on the host, which is why
   * `exclusive` has to be said. Nothing is sent until it is read.
   */
  records(options: RecordsOptions): RecordStream {
    const request = recordsRequest(this.ref, options);
    return new RecordStream(() => this.#maps.readRecords(request, options));
  }

  /**
   * Writes records into a user ring buffer, in order and at the pace at which programs
   * drain it; answers how many. What was written before an error stays, and the error's
   * metadata has its number as "written".
   */
  async writeRecords(records: RecordSource, options?: WriteRecordsOptions): Promise<bigint> {
    const requests = writeRequests(this.ref, records, options);
    const { written } = await this.#maps.writeRecords(requests, options);
    return written;
  }

  /** The map's elements as plain values of its types, or of those that are named. */
  json(typing?: TypingInit): JsonMap {
    return new JsonMap(this.#maps, this.ref, typing);
  }

  /** Removes every element; elements of arrays are set to zero. */
  clear(options?: CallOptions): Promise<ClearMapResponse> {
    return this.#maps.clearMap({ map: this.ref }, options);
  }

  /** Counts the elements on the host, all or those that a filter chooses. */
  count(
    filter?: MessageInitShape<typeof ElementFilterSchema>,
    options?: CallOptions,
  ): Promise<CountElementsResponse> {
    return this.#maps.countElements({ map: this.ref, filter }, options);
  }

  /**
   * Folds numbers of all elements on the host, without sending them: sum, least and
   * greatest, how they are spread, and the keys that have most. Sums do not wrap around.
   */
  async aggregate(
    fields: readonly NumberFieldInit[],
    options?: AggregateOptions,
  ): Promise<Aggregate> {
    const request = aggregateRequest(this.ref, fields, options);
    return aggregateOf(await this.#maps.aggregateElements(request, options));
  }

  /** Bytes of the memory of an arena, or of an array with CREATE_FLAG_MMAPABLE. */
  async readMemory(offset: number, length: number, options?: CallOptions): Promise<Uint8Array> {
    const request = { map: this.ref, offset: BigInt(offset), length };
    return (await this.#maps.readMemory(request, options)).data;
  }

  /** Writes bytes into such memory. Programs may see a part of them before the whole. */
  async writeMemory(offset: number, data: Uint8Array, options?: CallOptions): Promise<void> {
    await this.#maps.writeMemory({ map: this.ref, offset: BigInt(offset), data }, options);
  }

  #lookupOne(key: Key, options?: LookupOptions): Promise<LookupElementsResponse | undefined> {
    const view = { cpuView: cpuView(options), lock: options?.lock };
    return unlessMissing(() =>
      this.#maps.lookupElements({ map: this.ref, ...keyColumn(key), count: 1, ...view }, options),
    );
  }

  /** Forbids user space to write the map, for good; programs still can. */
  async freeze(options?: CallOptions): Promise<void> {
    await this.#maps.freezeMap({ map: this.ref }, options);
  }
}

/** What a lookup or take found, in the order of the keys. */
function valuesFound(
  answer: { elements?: Elements; failures: ElementFailure[] },
  count: number,
): (Uint8Array | undefined)[] {
  if (answer.elements?.count !== count) {
    throw protocolError(`the daemon answered ${answer.elements?.count ?? 0} of ${count} elements`);
  }
  const values: (Uint8Array | undefined)[] = unpackColumn(answer.elements.values, count);
  for (const failure of answer.failures) {
    if (failure.reason !== ErrorReason.ELEMENT_NOT_FOUND) throw elementError(failure);
    values[failure.index] = undefined;
  }
  return values;
}

/** What the call returns, or undefined where it fails with ELEMENT_NOT_FOUND. */
async function unlessMissing<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof BpfmapError && error.reason === "ELEMENT_NOT_FOUND") return undefined;
    throw error;
  }
}
