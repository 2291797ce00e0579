import type { CpuView } from "../columns.js";
import { type ValueCopier, valueCopier, viewedValueSize } from "../cpu-slots.js";
import type { MapLayout } from "../map-layout.js";
import { type Chunk, type ChunkRoom, packChunk } from "./chunk.js";
import { ChunkTexts, type TextOptions } from "./chunk-texts.js";
import type { Chooser } from "./element-filter.js";
import type { ElementSource } from "./element-source.js";

/**
 * Most elements of one chunk, which a scan thread reads in one go: a quarter as many make a
 * dump of small elements 5 % slower, and more are no faster.
 */
const MAX_ELEMENTS = 65_536;

/** Which columns to put into chunks. */
export type Projection = "keys_and_values" | "keys" | "values";

/** What goes into chunks, and how large they should be. */
export interface ChunkOptions {
  readonly projection: Projection;
  readonly cpuView?: CpuView | undefined;
  readonly room: ChunkRoom;
  /** Payload to aim at, in bytes. */
  readonly chunkBytes: number;
  /** JSON texts to send; absent for none. */
  readonly texts?: TextOptions | undefined;
}

/** Elements of a walk, or put in order after it. */
export type ElementColumns = Pick<ElementSource, "count" | "keys" | "values">;

/** Makes chunks of the elements of a walk. */
export class ChunkBuilder {
  /** Most elements of one chunk. */
  readonly capacity: number;
  readonly #layout: MapLayout;
  readonly #options: ChunkOptions;
  readonly #keySize: number;
  readonly #valueSize: number;
  readonly #copyValue: ValueCopier;
  readonly #texts: ChunkTexts | undefined;
  /** Elements on their way into a chunk; made when first needed. */
  #keys: Buffer | undefined;
  #values: Buffer | undefined;
  #count = 0;

  constructor(layout: MapLayout, options: ChunkOptions) {
    this.#layout = layout;
    this.#options = options;
    const { projection, cpuView, texts } = options;
    const hasBytes = !texts || texts.bytes;
    this.#keySize = hasBytes && projection !== "values" ? layout.keySize : 0;
    this.#valueSize = hasBytes && projection !== "keys" ? viewedValueSize(layout, cpuView) : 0;
    this.#texts = texts && new ChunkTexts(layout, options, texts);
    this.#copyValue = valueCopier(layout, cpuView);
    const size = Math.max(1, this.#keySize + this.#valueSize);
    const fitting = Math.floor(options.chunkBytes / size);
    this.capacity = Math.max(1, Math.min(MAX_ELEMENTS, layout.maxEntries, fitting));
  }

  /** The first `count` elements of a stretch, as they are: one copy of each column. */
  whole(source: ElementSource, count: number): Chunk {
    const keys = source.keys.subarray(0, count * this.#keySize);
    const values = source.values.subarray(0, count * this.#valueSize);
    return packChunk(count, keys, values, this.#options.room);
  }

  /** Whether {@link whole} gives what was asked for. */
  get takesWhole(): boolean {
    if (this.#texts) return false;
    return this.#options.cpuView === undefined || this.#valueSize === 0;
  }

  /**
   * Adds the chosen elements of a stretch from `from` on, until `limit` were added or
   * the chunk is full. Answers where it stopped and how many it added.
   */
  add(
    source: ElementColumns,
    from: number,
    limit: number,
    isChosen: Chooser | undefined,
  ): { next: number; added: number } {
    const { keySize, valueStride } = this.#layout;
    const most = Math.min(this.capacity, this.#count + limit);
    const before = this.#count;
    let index = from;
    for (; index < source.count && this.#count < most && !this.#isFull; index++) {
      const [keyAt, valueAt] = [index * keySize, index * valueStride];
      if (isChosen && !isChosen(source.keys, keyAt, source.values, valueAt)) continue;
      this.#append(source, keyAt, valueAt);
    }
    return { next: index, added: this.#count - before };
  }

  /** The chunk made so far, if it is full, or if it has anything and `flush` is set. */
  take(flush: boolean): Chunk | undefined {
    if (this.#count === 0 || !(this.#isFull || flush)) return undefined;
    const keys = this.#keys?.subarray(0, this.#count * this.#keySize) ?? Buffer.alloc(0);
    const values = this.#values?.subarray(0, this.#count * this.#valueSize) ?? Buffer.alloc(0);
    const chunk = packChunk(this.#count, keys, values, this.#options.room, this.#texts?.take());
    this.#count = 0;
    return chunk;
  }

  get #isFull(): boolean {
    return this.#count >= this.capacity || (this.#texts?.isFull ?? false);
  }

  #append(source: ElementColumns, keyAt: number, valueAt: number): void {
    this.#keys ??= Buffer.allocUnsafe(this.capacity * this.#keySize);
    this.#values ??= Buffer.allocUnsafe(this.capacity * this.#valueSize);
    const index = this.#count++;
    this.#texts?.append(source.keys, keyAt, source.values, valueAt);
    if (this.#keySize > 0) {
      source.keys.copy(this.#keys, index * this.#keySize, keyAt, keyAt + this.#keySize);
    }
    if (this.#valueSize > 0) {
      this.#copyValue(source.values, valueAt, this.#values, index * this.#valueSize);
    }
  }
}
