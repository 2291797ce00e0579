import { MapError } from "../map-error.js";
import type { MapLayout } from "../map-layout.js";
import type { FieldValue } from "../typing/field-reader.js";

/** Elements to make room for at first. */
const FIRST_ROOM = 256;

/**
 * Keeps the first elements of an order while a map is read: a heap of bounded size,
 * whose root is the last of those kept so far.
 */
export class TopElements {
  readonly #layout: MapLayout;
  readonly #limit: number;
  readonly #descending: boolean;
  readonly #memoryBytes: number;
  /** Slots of the columns, as a heap. */
  readonly #heap: number[] = [];
  readonly #ranks: FieldValue[] = [];
  #keys: Buffer = Buffer.alloc(0);
  #values: Buffer = Buffer.alloc(0);

  /** @param memoryBytes most memory for the columns */
  constructor(
    layout: MapLayout,
    { limit, descending }: { readonly limit: number; readonly descending: boolean },
    memoryBytes: number,
  ) {
    this.#layout = layout;
    this.#limit = limit;
    this.#descending = descending;
    this.#memoryBytes = memoryBytes;
  }

  /** Looks at an element: keeps it if it is among the first so far. */
  offer(rank: FieldValue, keys: Buffer, keyAt: number, values: Buffer, valueAt: number): void {
    const size = this.#heap.length;
    if (size < this.#limit) {
      this.#reserve(size + 1);
      this.#store(size, rank, keys, keyAt, values, valueAt);
      this.#heap.push(size);
      this.#rise(size);
      return;
    }
    const last = this.#heap[0] as number;
    if (this.#compareTo(last, rank, keys, keyAt) <= 0) return;
    this.#store(last, rank, keys, keyAt, values, valueAt);
    this.#sink(0);
  }

  /** The elements kept, in order, as columns. */
  ordered(): { count: number; keys: Buffer; values: Buffer } {
    const { keySize, valueStride } = this.#layout;
    const slots = [...this.#heap].sort((a, b) => this.#compare(a, b));
    const keys = Buffer.allocUnsafe(slots.length * keySize);
    const values = Buffer.allocUnsafe(slots.length * valueStride);
    for (const [index, slot] of slots.entries()) {
      this.#keys.copy(keys, index * keySize, slot * keySize, (slot + 1) * keySize);
      const from = slot * valueStride;
      this.#values.copy(values, index * valueStride, from, from + valueStride);
    }
    return { count: slots.length, keys, values };
  }

  #store(
    slot: number,
    rank: FieldValue,
    keys: Buffer,
    keyAt: number,
    values: Buffer,
    valueAt: number,
  ): void {
    const { keySize, valueStride } = this.#layout;
    this.#ranks[slot] = rank;
    keys.copy(this.#keys, slot * keySize, keyAt, keyAt + keySize);
    values.copy(this.#values, slot * valueStride, valueAt, valueAt + valueStride);
  }

  #compare(a: number, b: number): number {
    const { keySize } = this.#layout;
    return this.#compareTo(a, this.#ranks[b] as FieldValue, this.#keys, b * keySize);
  }

  /** Whether a kept element comes before another (negative) or after it (positive). */
  #compareTo(slot: number, rank: FieldValue, keys: Buffer, keyAt: number): number {
    const own = this.#ranks[slot] as FieldValue;
    if (own < rank) return this.#descending ? 1 : -1;
    if (own > rank) return this.#descending ? -1 : 1;
    // What is no number comes last, whatever the direction.
    const [isNone, otherIsNone] = [Number.isNaN(own), Number.isNaN(rank)];
    if (isNone !== otherIsNone) return isNone ? 1 : -1;
    const { keySize } = this.#layout;
    const at = slot * keySize;
    return this.#keys.compare(keys, keyAt, keyAt + keySize, at, at + keySize);
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (this.#compareAt(at, parent) <= 0) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(from: number): void {
    for (let at = from; ; ) {
      let last = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#heap.length && this.#compareAt(child, last) > 0) last = child;
      }
      if (last === at) return;
      this.#swap(at, last);
      at = last;
    }
  }

  #compareAt(a: number, b: number): number {
    return this.#compare(this.#heap[a] as number, this.#heap[b] as number);
  }

  #swap(a: number, b: number): void {
    const slot = this.#heap[a] as number;
    this.#heap[a] = this.#heap[b] as number;
    this.#heap[b] = slot;
  }

  #reserve(count: number): void {
    const { keySize, valueStride } = this.#layout;
    if (count * keySize <= this.#keys.length && count * valueStride <= this.#values.length) return;
    const room = Math.min(this.#limit, Math.max(FIRST_ROOM, count * 2));
    if (room * (keySize + valueStride) > this.#memoryBytes) this.#checkMemory(count);
    const grown = Math.max(
      count,
      Math.min(room, Math.floor(this.#memoryBytes / (keySize + valueStride))),
    );
    this.#keys = enlarged(this.#keys, grown * keySize);
    this.#values = enlarged(this.#values, grown * valueStride);
  }

  #checkMemory(count: number): void {
    const { keySize, valueStride } = this.#layout;
    if (count * (keySize + valueStride) <= this.#memoryBytes) return;
    throw new MapError(
      "LIMIT_EXCEEDED",
      `the first ${this.#limit} elements of the order take more than limits.replace_memory_bytes (${this.#memoryBytes}): ask for fewer`,
      { violations: [{ field: "order.limit", description: "takes too much memory" }] },
    );
  }
}

function enlarged(bytes: Buffer, size: number): Buffer {
  const larger = Buffer.allocUnsafe(size);
  bytes.copy(larger);
  return larger;
}
