import { ColumnBuilder } from "./column-builder.js";
import type { Changes, ElementSizes, Elements } from "./elements.js";
import { segmentRoom } from "./segment.js";

/**
 * Cuts sorted elements into segments. Where one ends depends on its keys: mostly after a key
 * whose hash says so. So equal contents have equal segments, whatever their history, and a
 * change leaves the segments before and soon after it as they are.
 */
export class SegmentCutter {
  readonly #sizes: ElementSizes;
  readonly #room: number;
  readonly #least: number;
  readonly #pending: ColumnBuilder;

  constructor(sizes: ElementSizes) {
    this.#sizes = sizes;
    this.#room = segmentRoom(sizes);
    this.#least = this.#room >>> 3;
    this.#pending = new ColumnBuilder(sizes, this.#room);
  }

  /** Whether the next element begins a segment. */
  get isBetween(): boolean {
    return this.#pending.count === 0;
  }

  /** Takes the next elements; yields the segments that they complete. */
  *add(elements: Elements & Partial<Changes>): Generator<Changes> {
    const { keySize } = this.#sizes;
    let begun = 0;
    for (let index = 0; index < elements.count; index++) {
      const length = this.#pending.count + index - begun + 1;
      const isEnd = length >= this.#room || this.#endsAfter(elements.keys, index * keySize, length);
      if (!isEnd) continue;
      this.#pending.addRange(elements, begun, index + 1);
      yield this.#pending.take();
      begun = index + 1;
    }
    this.#pending.addRange(elements, begun, elements.count);
  }

  /** The last segment, where elements are left for one. */
  *end(): Generator<Changes> {
    if (this.#pending.count > 0) yield this.#pending.take();
  }

  #endsAfter(keys: Uint8Array, at: number, length: number): boolean {
    if (length < this.#least) return false;
    return hash(keys, at, this.#sizes.keySize) % (this.#room >>> 1 || 1) === 0;
  }
}

/** FNV-1a with a final mix: keys that follow one another differ in all bits. */
function hash(bytes: Uint8Array, at: number, length: number): number {
  let h = 0x811c9dc5;
  for (let offset = at; offset < at + length; offset++) {
    h = Math.imul(h ^ bytes[offset]!, 0x01000193);
  }
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 13), 0x297a2d39);
  return (h ^ (h >>> 16)) >>> 0;
}
