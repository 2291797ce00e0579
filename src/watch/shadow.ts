/** Elements compared at once before single ones are looked at. */
const BLOCK = 64;

/**
 * The elements of a map as they were told, in the order of the kernel's last walk: two
 * columns, so that an unchanged stretch is compared as memory and costs little more
 * than copying it out of the kernel.
 *
 * During a walk the columns have a gap: what the walk has passed stands before it, what
 * it has yet to meet stands after it.
 */
export class Shadow {
  readonly #keySize: number;
  readonly #stride: number;
  #keys: Buffer;
  #values: Buffer;
  #capacity: number;
  /** Elements before the gap. */
  #passed = 0;
  /** Number of the first element after the gap. */
  #ahead = 0;
  /** Number past the last element. */
  #end = 0;

  constructor(keySize: number, stride: number) {
    this.#keySize = keySize;
    this.#stride = stride;
    this.#capacity = BLOCK;
    this.#keys = Buffer.allocUnsafeSlow(this.#capacity * keySize);
    this.#values = Buffer.allocUnsafeSlow(this.#capacity * stride);
  }

  /** Elements, between walks. */
  get count(): number {
    return this.#end;
  }

  /** Column of keys, between walks. */
  get keys(): Buffer {
    return this.#keys.subarray(0, this.#end * this.#keySize);
  }

  /** Column of values, between walks. */
  get values(): Buffer {
    return this.#values.subarray(0, this.#end * this.#stride);
  }

  /** Bytes of memory it takes. */
  get bytes(): number {
    return this.#keys.length + this.#values.length;
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
    if (this.#capacity > this.#end + (this.#end >> 3) + BLOCK) this.#resize(this.#end);
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
   * Calls back for each of the next `count` elements whose value differs from that of a
   * column, with its number there and the place of the old value, then takes over the
   * column's values and passes the elements.
   */
  pass(
    values: Buffer,
    from: number,
    count: number,
    onDifferent: (index: number, oldValues: Buffer, oldAt: number) => void,
  ): void {
    for (let done = 0; done < count; done += 4096) {
      this.#compareValues(values, from + done, done, Math.min(4096, count - done), onDifferent);
    }
    values.copy(
      this.#values,
      this.#ahead * this.#stride,
      from * this.#stride,
      (from + count) * this.#stride,
    );
    this.#move(count);
  }

  /** Puts elements of columns, from number `from` on, where the walk stands. */
  insert(keys: Buffer, values: Buffer, from: number, count: number): void {
    if (this.#ahead - this.#passed < count) this.#openGap(count);
    keys.copy(
      this.#keys,
      this.#passed * this.#keySize,
      from * this.#keySize,
      (from + count) * this.#keySize,
    );
    values.copy(
      this.#values,
      this.#passed * this.#stride,
      from * this.#stride,
      (from + count) * this.#stride,
    );
    this.#passed += count;
  }

  /** Takes out the next `count` elements; calls back for each before. */
  skip(
    count: number,
    onSkipped: (keys: Buffer, keyAt: number, values: Buffer, valueAt: number) => void,
  ): void {
    for (let index = this.#ahead; index < this.#ahead + count; index++) {
      onSkipped(this.#keys, index * this.#keySize, this.#values, index * this.#stride);
    }
    this.#ahead += count;
  }

  #areKeys(distance: number, keys: Buffer, from: number, count: number): boolean {
    if (count <= 0) return false;
    const start = (this.#ahead + distance) * this.#keySize;
    const bytes = count * this.#keySize;
    const at = from * this.#keySize;
    if (at + bytes > keys.length) return false;
    return this.#keys.compare(keys, at, at + bytes, start, start + bytes) === 0;
  }

  /** Compares as memory in halves, down to the elements that differ. */
  #compareValues(
    values: Buffer,
    from: number,
    distance: number,
    count: number,
    onDifferent: (index: number, oldValues: Buffer, oldAt: number) => void,
  ): void {
    const start = (this.#ahead + distance) * this.#stride;
    const at = from * this.#stride;
    const bytes = count * this.#stride;
    if (this.#values.compare(values, at, at + bytes, start, start + bytes) === 0) return;
    if (count === 1) {
      onDifferent(from, this.#values, start);
      return;
    }
    const half = count >> 1;
    this.#compareValues(values, from, distance, half, onDifferent);
    this.#compareValues(values, from + half, distance + half, count - half, onDifferent);
  }

  #move(count: number): void {
    const [to, from] = [this.#passed, this.#ahead];
    if (to !== from) {
      this.#keys.copyWithin(
        to * this.#keySize,
        from * this.#keySize,
        (from + count) * this.#keySize,
      );
      this.#values.copyWithin(
        to * this.#stride,
        from * this.#stride,
        (from + count) * this.#stride,
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
    this.#keys.copyWithin(to * this.#keySize, from * this.#keySize, this.#end * this.#keySize);
    this.#values.copyWithin(to * this.#stride, from * this.#stride, this.#end * this.#stride);
    this.#ahead += shift;
    this.#end += shift;
  }

  #resize(capacity: number): void {
    this.#capacity = capacity;
    this.#keys = resized(this.#keys, capacity * this.#keySize);
    this.#values = resized(this.#values, capacity * this.#stride);
  }
}

function resized(buffer: Buffer, size: number): Buffer {
  const other = Buffer.allocUnsafeSlow(size);
  buffer.copy(other);
  return other;
}
