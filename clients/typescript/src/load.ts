import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions } from "./call-options.js";
import { type Element, sizeMismatch } from "./columns.js";
import { cpuTarget } from "./cpu.js";
import { invalidArgument } from "./errors.js";
import type { ElementsSchema } from "./gen/bpfmap/v1/element_pb.js";
import type { Map as BpfMap, MapRef } from "./gen/bpfmap/v1/map_pb.js";
import type { LoadMapRequestSchema, LoadStrategy } from "./gen/bpfmap/v1/map_service_pb.js";

const DEFAULT_CHUNK_BYTES = 256 * 1024;

/** How to load. */
export interface LoadOptions extends CallOptions {
  /** What becomes of the elements that the map has already; MERGE where absent. */
  strategy?: LoadStrategy;
  /** For REPLACE_ATOMIC: the key of the inner map's slot in the map in map. */
  outerKey?: Uint8Array;
  /** Only report what the load would do. */
  dryRun?: boolean;
  /** For per-CPU maps: values are value_size bytes and go to every CPU's slot. */
  allCpus?: boolean;
  /**
   * Size of the chunks to send, in bytes of keys and values; at least one element
   * each. Default 256 KiB. No chunk may exceed Host.max_message_bytes.
   */
  chunkBytes?: number;
}

/** Elements to load, in any number. */
export type ElementSource = Iterable<Element> | AsyncIterable<Element>;

type LoadRequest = MessageInitShape<typeof LoadMapRequestSchema>;
type Columns = MessageInitShape<typeof ElementsSchema>;

/** The requests of a load: the start, then the elements in chunks as the map's sizes ask. */
export async function* loadRequests(
  ref: MapRef,
  map: BpfMap,
  elements: ElementSource,
  options: LoadOptions | undefined,
): AsyncGenerator<LoadRequest, void> {
  yield {
    kind: {
      case: "start",
      value: {
        map: ref,
        strategy: options?.strategy,
        outerKey: options?.outerKey,
        dryRun: options?.dryRun,
        cpuTarget: cpuTarget({ allCpus: options?.allCpus }),
      },
    },
  };
  const packer = new Packer(
    map.keySize,
    options?.allCpus ? map.valueSize : map.valueStride,
    checkChunkBytes(options?.chunkBytes ?? DEFAULT_CHUNK_BYTES),
  );
  // A plain iterable is not read through `for await`: that would cost a turn of the
  // microtask queue for each element.
  if (Symbol.iterator in elements) {
    for (const element of elements) {
      const full = packer.add(element);
      if (full !== undefined) yield asRequest(full);
    }
  } else {
    for await (const element of elements) {
      const full = packer.add(element);
      if (full !== undefined) yield asRequest(full);
    }
  }
  const rest = packer.take();
  if (rest !== undefined) yield asRequest(rest);
}

function asRequest(value: Columns): LoadRequest {
  return { kind: { case: "elements", value } };
}

/** Returns the size, or throws INVALID_ARGUMENT unless it is a positive whole number. */
export function checkChunkBytes(chunkBytes: number): number {
  if (!Number.isSafeInteger(chunkBytes) || chunkBytes < 1) {
    throw invalidArgument(`chunkBytes is ${chunkBytes}: it must be a whole number above 0`);
  }
  return chunkBytes;
}

/** Fills columns with elements. Each chunk has memory of its own: grpc-js may send it later. */
class Packer {
  readonly #keySize: number;
  readonly #valueSize: number;
  readonly #capacity: number;
  #keys: Uint8Array = new Uint8Array();
  #values: Uint8Array = new Uint8Array();
  #count = 0;
  #total = 0;

  constructor(keySize: number, valueSize: number, chunkBytes: number) {
    this.#keySize = keySize;
    this.#valueSize = valueSize;
    this.#capacity = Math.max(1, Math.floor(chunkBytes / Math.max(1, keySize + valueSize)));
  }

  /** Copies an element. Returns the chunk that it filled, if it did. */
  add([key, value]: Element): Columns | undefined {
    if (key.length !== this.#keySize) {
      throw sizeMismatch("elements.keys", this.#total, key.length, this.#keySize);
    }
    if (value.length !== this.#valueSize) {
      throw sizeMismatch("elements.values", this.#total, value.length, this.#valueSize);
    }
    if (this.#count === 0) {
      this.#keys = new Uint8Array(this.#capacity * this.#keySize);
      this.#values = new Uint8Array(this.#capacity * this.#valueSize);
    }
    copy(key, this.#keys, this.#count * this.#keySize);
    copy(value, this.#values, this.#count * this.#valueSize);
    this.#count += 1;
    this.#total += 1;
    return this.#count === this.#capacity ? this.take() : undefined;
  }

  /** What was added since the last chunk, if anything. */
  take(): Columns | undefined {
    if (this.#count === 0) return undefined;
    const count = this.#count;
    this.#count = 0;
    return {
      count,
      keys: this.#keys.subarray(0, count * this.#keySize),
      values: this.#values.subarray(0, count * this.#valueSize),
    };
  }
}

// Below this length a loop is faster than the call into TypedArray.prototype.set.
const SHORT_BYTES = 24;

function copy(from: Uint8Array, to: Uint8Array, offset: number): void {
  if (from.length > SHORT_BYTES) {
    to.set(from, offset);
    return;
  }
  for (let index = 0; index < from.length; index += 1) to[offset + index] = from[index]!;
}
