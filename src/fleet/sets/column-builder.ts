import type { Changes, ElementSizes, Elements } from "./elements.js";

/** Collects elements or changes in columns. */
export class ColumnBuilder {
  readonly #sizes: ElementSizes;
  #keys: Uint8Array;
  #values: Uint8Array;
  #removed: Uint8Array;
  #count = 0;

  /** @param room elements to have room for at first */
  constructor(sizes: ElementSizes, room: number) {
    this.#sizes = sizes;
    this.#keys = new Uint8Array(room * sizes.keySize);
    this.#values = new Uint8Array(room * sizes.valueSize);
    this.#removed = new Uint8Array(room);
  }

  get count(): number {
    return this.#count;
  }

  /** Adds elements `from` up to, not including, `to` of a column. */
  addRange(source: Elements & Partial<Changes>, from: number, to: number): void {
    if (from >= to) return;
    const { keySize, valueSize } = this.#sizes;
    const at = this.#count;
    this.#makeRoom(to - from);
    this.#keys.set(source.keys.subarray(from * keySize, to * keySize), at * keySize);
    this.#values.set(source.values.subarray(from * valueSize, to * valueSize), at * valueSize);
    if (source.removed) this.#removed.set(source.removed.subarray(from, to), at);
    else this.#removed.fill(0, at, at + to - from);
    this.#count += to - from;
  }

  /** Adds one element; a loop is faster than a copy of a few bytes. */
  addOne(source: Elements & Partial<Changes>, index: number): void {
    const { keySize, valueSize } = this.#sizes;
    this.#makeRoom(1);
    const { keys, values } = source;
    const key = this.#count * keySize;
    for (let at = 0; at < keySize; at++) this.#keys[key + at] = keys[index * keySize + at]!;
    const value = this.#count * valueSize;
    for (let at = 0; at < valueSize; at++)
      this.#values[value + at] = values[index * valueSize + at]!;
    this.#removed[this.#count] = source.removed?.[index] ?? 0;
    this.#count++;
  }

  /** Adds the removal of a key. */
  addRemoval(keys: Uint8Array, at: number): void {
    const { keySize, valueSize } = this.#sizes;
    this.#makeRoom(1);
    this.#keys.set(keys.subarray(at, at + keySize), this.#count * keySize);
    this.#values.fill(0, this.#count * valueSize, (this.#count + 1) * valueSize);
    this.#removed[this.#count] = 1;
    this.#count++;
  }

  /** What was collected, for the caller alone; the builder is empty after. */
  take(): Changes {
    const { keySize, valueSize } = this.#sizes;
    const taken = {
      count: this.#count,
      keys: this.#keys.slice(0, this.#count * keySize),
      values: this.#values.slice(0, this.#count * valueSize),
      removed: this.#removed.slice(0, this.#count),
    };
    this.#count = 0;
    return taken;
  }

  #makeRoom(more: number): void {
    const wanted = this.#count + more;
    if (wanted <= this.#removed.length) return;
    const room = Math.max(wanted, 2 * this.#removed.length);
    const { keySize, valueSize } = this.#sizes;
    this.#keys = enlarged(this.#keys, room * keySize);
    this.#values = enlarged(this.#values, room * valueSize);
    this.#removed = enlarged(this.#removed, room);
  }
}

function enlarged(bytes: Uint8Array, size: number): Uint8Array {
  const larger = new Uint8Array(size);
  larger.set(bytes);
  return larger;
}
