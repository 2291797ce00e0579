import type { BatchedMap } from "../batch/batched-map.js";
import type { CallOptions } from "../call-options.js";
import type { DumpOptions } from "../dump.js";
import { Projection, type UpdateMode } from "../gen/bpfmap/v1/element_pb.js";
import type { Map as BpfMap } from "../gen/bpfmap/v1/map_pb.js";
import type { LoadMapResponse } from "../gen/bpfmap/v1/map_service_pb.js";
import type { LoadOptions } from "../load.js";
import type { ManyOptions, MapHandle } from "../map-handle.js";
import type { WatchOptions } from "../watch.js";
import type { DeleteEvent, PutEvent } from "../watch-change.js";
import type { WatchEvent } from "../watch-event.js";
import type { ElementCodec } from "./element-codec.js";

/** A put with its key and values decoded; see PutEvent. */
export type TypedPutEvent<K, V> = Omit<PutEvent, "key" | "value" | "previous"> & {
  readonly key: K;
  readonly value: V;
  readonly previous: V | undefined;
};

/** A delete with its key and value decoded; see DeleteEvent. */
export type TypedDeleteEvent<K, V> = Omit<DeleteEvent, "key" | "previous"> & {
  readonly key: K;
  readonly previous: V | undefined;
};

/** What a watch of a typed map yields; see WatchEvent. */
export type TypedWatchEvent<K, V> =
  | Exclude<WatchEvent, PutEvent | DeleteEvent>
  | TypedPutEvent<K, V>
  | TypedDeleteEvent<K, V>;

/** Options of single calls; those that share a request have a signal only. */
type SingleOptions = CallOptions & { mode?: UpdateMode };

/**
 * One map with keys of type K and values of type V. Single lookups, updates and deletes
 * that are called at the same time share requests, unless it was opened without. Made by
 * BpfmapClient.open() and openPerCpu().
 *
 * It keeps nothing open on the host; calls fail with NOT_FOUND once the map is gone.
 */
export class TypedMap<K, V> {
  /** The same map with bytes for keys and values, and every other call. */
  readonly handle: MapHandle;
  /** The map as it was when it was opened. */
  readonly info: BpfMap;
  readonly #codec: ElementCodec<K, V>;
  readonly #single: BatchedMap | MapHandle;

  /** Use BpfmapClient.open(). @internal */
  constructor(
    handle: MapHandle,
    info: BpfMap,
    codec: ElementCodec<K, V>,
    single: BatchedMap | MapHandle,
  ) {
    this.handle = handle;
    this.info = info;
    this.#codec = codec;
    this.#single = single;
  }

  /** The value of a key; undefined where the map has no such element. */
  async lookup(key: K, options?: CallOptions): Promise<V | undefined> {
    return this.#decoded(await this.#single.lookup(this.#codec.keyBytes(key), options));
  }

  /** The values of keys, in their order, in one call; undefined where there is no such element. */
  async lookupMany(keys: readonly K[], options?: CallOptions): Promise<(V | undefined)[]> {
    const values = await this.handle.lookupMany(
      keys.map((key) => this.#codec.keyBytes(key)),
      options,
    );
    return values.map((value) => this.#decoded(value));
  }

  /** Adds the element or changes its value, as `mode` allows. */
  async update(key: K, value: V, options?: SingleOptions): Promise<void> {
    await this.#single.update(this.#codec.keyBytes(key), this.#codec.valueBytes(value), options);
  }

  /** Writes elements in order, in one call. For more than a message holds, use load(). */
  async updateMany(
    elements: Iterable<readonly [K, V]>,
    options?: SingleOptions & ManyOptions,
  ): Promise<void> {
    const encoded = Array.from(elements, (element) => this.#codec.bytesOf(element));
    await this.handle.updateMany(encoded, options);
  }

  /** Deletes the element; false where the map has no such element. */
  async delete(key: K, options?: CallOptions): Promise<boolean> {
    return this.#single.delete(this.#codec.keyBytes(key), options);
  }

  /** Reads and deletes the element in one step; undefined where the map has no such element. */
  async take(key: K, options?: CallOptions): Promise<V | undefined> {
    return this.#decoded(await this.handle.take(this.#codec.keyBytes(key), options));
  }

  /** All elements, or those that a filter chooses; see Dump for what it promises. */
  async *entries(
    options?: Omit<DumpOptions, "projection" | "cpu" | "fold">,
  ): AsyncGenerator<[key: K, value: V], undefined> {
    for await (const [key, value] of this.handle.dump(options)) {
      yield [this.#codec.keyOf(key), this.#codec.valueOf(value)];
    }
    return undefined;
  }

  /** All keys, or those that a filter chooses. */
  async *keys(
    options?: Omit<DumpOptions, "projection" | "cpu" | "fold">,
  ): AsyncGenerator<K, undefined> {
    const dump = this.handle.dump({ ...options, projection: Projection.KEYS });
    for await (const [key] of dump) yield this.#codec.keyOf(key);
    return undefined;
  }

  /** All elements, as `for await` takes them. */
  [Symbol.asyncIterator](): AsyncGenerator<[key: K, value: V], undefined> {
    return this.entries();
  }

  /** Writes elements in chunks, at the daemon's pace; see MapHandle.load(). */
  load(
    elements: Iterable<readonly [K, V]> | AsyncIterable<readonly [K, V]>,
    options?: Omit<LoadOptions, "allCpus">,
  ): Promise<LoadMapResponse> {
    const codec = this.#codec;
    // A plain iterable stays one: an asynchronous one costs a turn for each element.
    const encoded =
      Symbol.iterator in elements
        ? (function* () {
            for (const element of elements) yield codec.bytesOf(element);
          })()
        : (async function* () {
            for await (const element of elements) yield codec.bytesOf(element);
          })();
    return this.handle.load(encoded, options);
  }

  /** The contents and their changes, for as long as the loop runs; see Watch. */
  async *watch(
    options?: Omit<WatchOptions, "keysOnly" | "cpu" | "fold">,
  ): AsyncGenerator<TypedWatchEvent<K, V>, undefined> {
    for await (const event of this.handle.watch(options)) {
      if (event.type === "put") {
        yield {
          ...event,
          key: this.#codec.keyOf(event.key),
          value: this.#codec.valueOf(event.value),
          previous: this.#decoded(event.previous),
        };
      } else if (event.type === "delete") {
        yield {
          ...event,
          key: this.#codec.keyOf(event.key),
          previous: this.#decoded(event.previous),
        };
      } else {
        yield event;
      }
    }
    return undefined;
  }

  #decoded(value: Uint8Array | undefined): V | undefined {
    return value && this.#codec.valueOf(value);
  }
}
