import type { MapLayout } from "../map-layout.js";
import { KeyIndex } from "./key-index.js";
import { clearHostBits } from "./key-order.js";

/** What is known of an element; bits of one byte. */
export const Known = {
  /** It was in the map when the load began. */
  ORIGINAL: 1,
  /** The stream has it. */
  WANTED: 2,
  /** Its value in the map was another than the stream's. */
  CHANGED: 4,
  /** It was in the map at the last look. */
  PRESENT: 8,
} as const;

/** Bytes of values to have room for at first, unless one value is larger. */
const FIRST_BYTES = 1 << 16;

/**
 * A map's elements, and those of a stream, by key: what a load needs to tell what it
 * changes. Takes the memory of all keys and values, and about 12 bytes for each.
 */
export class MapPicture {
  readonly #keySize: number;
  readonly #stride: number;
  readonly #isTrie: boolean;
  readonly #index: KeyIndex;
  readonly #key: Buffer;
  #values: Buffer;
  #known: Uint8Array;

  constructor(layout: MapLayout, keyKind: string) {
    this.#keySize = layout.keySize;
    this.#stride = layout.valueStride;
    this.#isTrie = keyKind === "prefix";
    this.#index = new KeyIndex(layout.keySize);
    this.#key = Buffer.alloc(layout.keySize);
    const room = Math.max(1, Math.min(64, Math.floor(FIRST_BYTES / this.#stride)));
    this.#values = Buffer.allocUnsafe(room * this.#stride);
    this.#known = new Uint8Array(room);
  }

  /** Elements in the picture. */
  get size(): number {
    return this.#index.size;
  }

  /** Bytes of memory it takes. */
  get bytes(): number {
    return this.#index.bytes + this.#values.length + this.#known.length;
  }

  /** The column of keys, by number. A trie's have their host bits cleared. */
  get keys(): Buffer {
    return this.#index.keys;
  }

  /** The column of values, by number. */
  get values(): Buffer {
    return this.#values;
  }

  /** The number of a key, or -1. */
  find(keys: Buffer, at: number): number {
    return this.#index.find(...this.#comparable(keys, at));
  }

  /** The number of a key, added with nothing known where it is missing. */
  add(keys: Buffer, at: number): number {
    const number = this.#index.add(...this.#comparable(keys, at));
    if (number >= this.#known.length) this.#grow();
    return number;
  }

  /** What is known of an element: an OR of {@link Known}. */
  known(number: number): number {
    return this.#known[number] ?? 0;
  }

  /** Learns more of an element. */
  learn(number: number, what: number): void {
    this.#known[number] = this.known(number) | what;
  }

  /** Whether an element's value is the one at a place of a column. */
  hasValue(number: number, values: Buffer, at: number): boolean {
    const start = number * this.#stride;
    return this.#values.compare(values, at, at + this.#stride, start, start + this.#stride) === 0;
  }

  /** Whether an element's value is all zero. */
  isZero(number: number): boolean {
    const start = number * this.#stride;
    return this.#values.subarray(start, start + this.#stride).every((byte) => byte === 0);
  }

  /** Sets an element's value from a place of a column. */
  setValue(number: number, values: Buffer, at: number): void {
    values.copy(this.#values, number * this.#stride, at, at + this.#stride);
  }

  /** How many elements have all the bits of `all` and none of `none`. */
  count(all: number, none: number): number {
    let count = 0;
    for (let number = 0; number < this.size; number++) {
      const known = this.known(number);
      if ((known & all) === all && (known & none) === 0) count++;
    }
    return count;
  }

  /** A trie takes prefixes for equal whatever their host bits; so must the index. */
  #comparable(keys: Buffer, at: number): [Buffer, number] {
    if (!this.#isTrie) return [keys, at];
    keys.copy(this.#key, 0, at, at + this.#keySize);
    clearHostBits(this.#key, 0, this.#keySize);
    return [this.#key, 0];
  }

  #grow(): void {
    const values = Buffer.allocUnsafe(this.#values.length * 2);
    this.#values.copy(values);
    this.#values = values;
    const known = new Uint8Array(this.#known.length * 2);
    known.set(this.#known);
    this.#known = known;
  }
}
