/**
 * A set of keys of one size with a number for each, in the order they came: an open
 * hash table over one column. About 12 bytes a key beside the key itself.
 */
export class KeyIndex {
  readonly #keySize: number;
  #keys: Buffer;
  #slots = new Int32Array(1024);
  #size = 0;

  constructor(keySize: number) {
    this.#keySize = keySize;
    this.#keys = Buffer.allocUnsafe(512 * keySize);
  }

  /** Keys in the set. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of memory it takes. */
  get bytes(): number {
    return this.#keys.length + this.#slots.byteLength;
  }

  /** The column of keys; key number n stands at n × key size. */
  get keys(): Buffer {
    return this.#keys;
  }

  /** The number of a key, or -1. */
  find(source: Buffer, at: number): number {
    return (this.#slots[this.#slotOf(source, at)] ?? 0) - 1;
  }

  /** The number of a key, which is added where it is missing. */
  add(source: Buffer, at: number): number {
    const slot = this.#slotOf(source, at);
    const found = this.#slots[slot] ?? 0;
    if (found > 0) return found - 1;
    const number = this.#size++;
    if (this.#size * this.#keySize > this.#keys.length) this.#growKeys();
    source.copy(this.#keys, number * this.#keySize, at, at + this.#keySize);
    this.#slots[slot] = number + 1;
    if (this.#size * 2 > this.#slots.length) this.#growSlots();
    return number;
  }

  #growKeys(): void {
    const larger = Buffer.allocUnsafe(this.#keys.length * 2);
    this.#keys.copy(larger);
    this.#keys = larger;
  }

  #growSlots(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let number = 0; number < this.#size; number++) {
      this.#slots[this.#slotOf(this.#keys, number * this.#keySize)] = number + 1;
    }
  }

  /** The slot that has the key, or the free one where it would go. */
  #slotOf(source: Buffer, at: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash(source, at, this.#keySize) & mask;
    for (;;) {
      const number = (this.#slots[slot] ?? 0) - 1;
      if (number < 0 || this.#isEqual(number, source, at)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #isEqual(number: number, source: Buffer, at: number): boolean {
    const start = number * this.#keySize;
    for (let offset = 0; offset < this.#keySize; offset++) {
      if (this.#keys[start + offset] !== source[at + offset]) return false;
    }
    return true;
  }
}

/** FNV-1a with a final mix, so that the low bits of near keys differ. */
function hash(bytes: Buffer, at: number, length: number): number {
  let h = 0x811c9dc5;
  for (let offset = at; offset < at + length; offset++) {
    h = Math.imul(h ^ (bytes[offset] ?? 0), 0x01000193);
  }
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}
