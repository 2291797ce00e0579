import { LazyMemory } from "../kernel/index.js";
import type { ValueAt } from "./changes.js";

/** Elements compared at once before single ones are looked at. */
const BLOCK = 64;

/** Elements whose values are compared at once; where they differ it is halved, down to one. */
const VALUE_BLOCK = 4096;

/**
 * An element whose value differs: its number in the column that was compared, its value,
 * which is valid until the call returns, and the place of the value before.
 */
type OnDifferent = (index: number, value: Buffer, before: ValueAt) => void;

/**
 * The elements of a map as they were told, in the order of the kernel's last walk: two
 * columns, so that an unchanged stretch is compared as memory and costs little more
 * than copying it out of the kernel.
 *
 * During a walk the columns have a gap: what the walk has passed stands before it, what
 * it has yet to meet stands after it.
 */
export class Shadow {
  /** Bytes from one value to the next. */
  readonly stride: number;
  readonly #keySize: number;
  readonly #valueSize: number;
  /** A value that others may write while it is looked at is taken here, once. */
  readonly #taken: Buffer;
  #keyMemory: LazyMemory;
  #valueMemory: LazyMemory;
  #capacity: number;
  /** Elements that memory was written for. */
  #touched = 0;
  /** Elements before the gap. */
  #passed = 0;
  /** Number of the first element after the gap. */
  #ahead = 0;
  /** Number past the last element. */
  #end = 0;

  /** @param stride bytes from one value to the next, in the columns that it is given too */
  constructor(keySize: number, valueSize: number, stride = valueSize) {
    this.#keySize = keySize;
    this.#valueSize = valueSize;
    this.stride = stride;
    this.#taken = Buffer.alloc(stride);
    this.#capacity = BLOCK;
    this.#keyMemory = LazyMemory.take(this.#capacity * keySize);
    this.#valueMemory = LazyMemory.take(this.#capacity * stride);
  }

  /** Elements, between walks. */
  get count(): number {
    return this.#end;
  }

  /** Column of keys, between walks. */
  get keys(): Buffer {
    return this.#keyMemory.bytes.subarray(0, this.#end * this.#keySize);
  }

  /** Column of values, between walks. */
  get values(): Buffer {
    return this.#valueMemory.bytes.subarray(0, this.#end * this.stride);
  }

  /** Bytes of memory it takes, up to whole pages. */
  get bytes(): number {
    return this.#touched * (this.#keySize + this.stride);
  }

  /** Gives the memory back. */
  release(): void {
    this.#keyMemory.release();
    this.#valueMemory.release();
  }

  /** Starts a walk. */
  startWalk(): void {
    this.#passed = 0;
    this.#ahead = 0;
  }

  /** Ends a walk that has passed or skipped everything. */
  finishWalk(): void {
    this.#end = this.#passed;
    this.#ahead = this.#passed;
    // Memory is bounded by what is promised for each element.
    if (this.#touched > this.#end + (this.#end >> 3) + BLOCK) this.#trim();
  }

  /** Elements that the walk has yet to meet. */
  get left(): number {
    return this.#end - this.#ahead;
  }

  /** How many of the next keys are those of a column, from `from` on, up to `most`. */
  countMatching(keys: Buffer, from: number, most: number): number {
    const limit = Math.min(most, this.left);
    if (this.#areKeys(0, keys, from, limit)) return limit;
    let matching = 0;
    while (this.#areKeys(matching, keys, from + matching, Math.min(BLOCK, limit - matching))) {
      matching += Math.min(BLOCK, limit - matching);
    }
    while (matching < limit && this.#areKeys(matching, keys, from + matching, 1)) matching++;
    return matching;
  }

  /** Whether the key that is `distance` ahead is key number `index` of a column. */
  isKeyAhead(distance: number, keys: Buffer, index: number): boolean {
    return distance < this.left && this.#areKeys(distance, keys, index, 1);
  }

  /**
   * Passes the next `count` elements: calls back for each whose value differs from that of
   * a column, and takes the column's value over. The column may be written meanwhile.
   */
  pass(values: Buffer, from: number, count: number, onDifferent: OnDifferent): void {
    for (let done = 0; done < count; done += VALUE_BLOCK) {
      const block = Math.min(VALUE_BLOCK, count - done);
      this.#compareValues(values, from + done, done, block, onDifferent);
    }
    this.#move(count);
  }

  /** Puts elements of columns, from number `from` on, where the walk stands. */
  insert(keys: Buffer, values: Buffer, from: number, count: number): void {
    if (this.#ahead - this.#passed < count) this.#openGap(count);
    keys.copy(
      this.#keyMemory.bytes,
      this.#passed * this.#keySize,
      from * this.#keySize,
      (from + count) * this.#keySize,
    );
    values.copy(
      this.#valueMemory.bytes,
      this.#passed * this.stride,
      from * this.stride,
      (from + count) * this.stride,
    );
    this.#passed += count;
    this.#touched = Math.max(this.#touched, this.#passed);
  }

  /** Takes out the next `count` elements; calls back for each before. */
  skip(
    count: number,
    onSkipped: (keys: Buffer, keyAt: number, values: Buffer, valueAt: number) => void,
  ): void {
    for (let index = this.#ahead; index < this.#ahead + count; index++) {
      onSkipped(
        this.#keyMemory.bytes,
        index * this.#keySize,
        this.#valueMemory.bytes,
        index * this.stride,
      );
    }
    this.#ahead += count;
  }

  #areKeys(distance: number, keys: Buffer, from: number, count: number): boolean {
    if (count <= 0) return false;
    const start = (this.#ahead + distance) * this.#keySize;
    const bytes = count * this.#keySize;
    const at = from * this.#keySize;
    if (at + bytes > keys.length) return false;
    return this.#keyMemory.bytes.compare(keys, at, at + bytes, start, start + bytes) === 0;
  }

  /** Compares as memory in halves, down to the elements that differ. */
  #compareValues(
    values: Buffer,
    from: number,
    distance: number,
    count: number,
    onDifferent: OnDifferent,
  ): void {
    const start = (this.#ahead + distance) * this.stride;
    const at = from * this.stride;
    const bytes = count * this.stride;
    if (this.#valueMemory.bytes.compare(values, at, at + bytes, start, start + bytes) === 0) return;
    if (count === 1) {
      this.#takeValue(values, from, start, onDifferent);
      return;
    }
    const half = count >> 1;
    this.#compareValues(values, from, distance, half, onDifferent);
    this.#compareValues(values, from + half, distance + half, count - half, onDifferent);
  }

  #takeValue(values: Buffer, index: number, beforeAt: number, onDifferent: OnDifferent): void {
    const [taken, size] = [this.#taken, this.#valueSize];
    values.copy(taken, 0, index * this.stride, (index + 1) * this.stride);
    // What differed may have changed back, or lie behind the value.
    if (taken.compare(this.#valueMemory.bytes, beforeAt, beforeAt + size, 0, size) !== 0) {
      onDifferent(index, taken, { values: this.#valueMemory.bytes, at: beforeAt });
    }
    taken.copy(this.#valueMemory.bytes, beforeAt);
  }

  #move(count: number): void {
    const [to, from] = [this.#passed, this.#ahead];
    if (to !== from) {
      this.#keyMemory.bytes.copyWithin(
        to * this.#keySize,
        from * this.#keySize,
        (from + count) * this.#keySize,
      );
      this.#valueMemory.bytes.copyWithin(
        to * this.stride,
        from * this.stride,
        (from + count) * this.stride,
      );
    }
    this.#passed += count;
    this.#ahead += count;
  }

  /** Widens the gap to `count` elements and some more, so that it is seldom needed. */
  #openGap(count: number): void {
    const wanted = count + Math.max(256, this.#end >> 5);
    const shift = wanted - (this.#ahead - this.#passed);
    const needed = this.#end + shift;
    if (needed > this.#capacity) this.#resize(Math.max(needed, this.#capacity * 2));
    const [from, to] = [this.#ahead, this.#ahead + shift];
    this.#keyMemory.bytes.copyWithin(
      to * this.#keySize,
      from * this.#keySize,
      this.#end * this.#keySize,
    );
    this.#valueMemory.bytes.copyWithin(
      to * this.stride,
      from * this.stride,
      this.#end * this.stride,
    );
    this.#ahead += shift;
    this.#end += shift;
    this.#touched = Math.max(this.#touched, this.#end);
  }

  #trim(): void {
    this.#touched = this.#end;
    this.#keyMemory.trim(this.#end * this.#keySize);
    this.#valueMemory.trim(this.#end * this.stride);
  }

  #resize(capacity: number): void {
    this.#capacity = capacity;
    this.#keyMemory = resized(this.#keyMemory, this.#end * this.#keySize, capacity * this.#keySize);
    this.#valueMemory = resized(this.#valueMemory, this.#end * this.stride, capacity * this.stride);
  }
}

/** More memory with the same first bytes. */
function resized(memory: LazyMemory, used: number, size: number): LazyMemory {
  const larger = LazyMemory.take(size);
  memory.bytes.copy(larger.bytes, 0, 0, used);
  memory.release();
  return larger;
}
