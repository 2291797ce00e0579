import { asBigint, newWords, type Words } from "./wide-number.js";

/** Keys with the greatest numbers; plain data. */
export interface GreatestKeys {
  readonly count: number;
  /** Back to back, by descending numbers, equal ones in the order of their bytes. */
  readonly keys: Uint8Array;
  readonly numbers: readonly bigint[];
  /** The greatest number of the keys that are left out; undefined where all are here. */
  readonly othersMax: bigint | undefined;
}

/** Keys to make room for at first. */
const FIRST_ROOM = 64;

/**
 * Keeps the keys with the greatest numbers while a map is read: a heap of bounded size, whose
 * root is the least of those kept so far.
 */
export class KeyRanking {
  readonly #keySize: number;
  readonly #limit: number;
  /** Slots of the columns, as a heap. */
  readonly #heap: number[] = [];
  #keys: Buffer;
  /** High and low word of each slot. */
  #words: Float64Array;
  readonly #othersMax: Words = newWords();
  #hasOthers = false;

  constructor(keySize: number, limit: number) {
    this.#keySize = keySize;
    this.#limit = limit;
    const room = Math.min(limit, FIRST_ROOM);
    this.#keys = Buffer.allocUnsafe(room * keySize);
    this.#words = new Float64Array(room * 2);
  }

  /** Looks at a key: keeps it if its number is among the greatest so far. */
  offer(number: Words, keys: Buffer, keyAt: number): void {
    const size = this.#heap.length;
    if (size < this.#limit) {
      this.#reserve(size + 1);
      this.#store(size, number, keys, keyAt);
      this.#heap.push(size);
      this.#rise(size);
      return;
    }
    const least = this.#heap[0] as number;
    if (this.#compareTo(least, number, keys, keyAt) <= 0) {
      this.#leaveOut(number[0] as number, number[1] as number);
      return;
    }
    this.#leaveOut(this.#words[2 * least] as number, this.#words[2 * least + 1] as number);
    this.#store(least, number, keys, keyAt);
    this.#sink();
  }

  /** The keys kept. */
  greatest(): GreatestKeys {
    const size = this.#keySize;
    const slots = [...this.#heap].sort((a, b) => this.#compare(a, b));
    const keys = Buffer.allocUnsafeSlow(slots.length * size);
    for (const [index, slot] of slots.entries()) {
      this.#keys.copy(keys, index * size, slot * size, (slot + 1) * size);
    }
    return {
      count: slots.length,
      keys,
      numbers: slots.map((slot) => asBigint(this.#words, 2 * slot)),
      othersMax: this.#hasOthers ? asBigint(this.#othersMax) : undefined,
    };
  }

  #leaveOut(high: number, low: number): void {
    const max = this.#othersMax;
    const isMore = high > (max[0] as number) || (high === max[0] && low > (max[1] as number));
    if (this.#hasOthers && !isMore) return;
    this.#hasOthers = true;
    max[0] = high;
    max[1] = low;
  }

  #store(slot: number, number: Words, keys: Buffer, keyAt: number): void {
    this.#words.set(number, 2 * slot);
    keys.copy(this.#keys, slot * this.#keySize, keyAt, keyAt + this.#keySize);
  }

  /** Less than 0 where slot `a` comes before slot `b`. */
  #compare(a: number, b: number): number {
    const words = this.#words;
    return (
      (words[2 * b] as number) - (words[2 * a] as number) ||
      (words[2 * b + 1] as number) - (words[2 * a + 1] as number) ||
      this.#compareKeys(a, this.#keys, b * this.#keySize)
    );
  }

  /** As {@link #compare}, with a key that is in no slot. */
  #compareTo(slot: number, number: Words, keys: Buffer, keyAt: number): number {
    const words = this.#words;
    return (
      (number[0] as number) - (words[2 * slot] as number) ||
      (number[1] as number) - (words[2 * slot + 1] as number) ||
      this.#compareKeys(slot, keys, keyAt)
    );
  }

  #compareKeys(slot: number, keys: Buffer, keyAt: number): number {
    const size = this.#keySize;
    return this.#keys.compare(keys, keyAt, keyAt + size, slot * size, (slot + 1) * size);
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (this.#compareAt(parent, at) >= 0) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(): void {
    for (let at = 0; ; ) {
      let last = at;
      for (let child = 2 * at + 1; child <= 2 * at + 2; child++) {
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
    const room = this.#words.length / 2;
    if (count <= room) return;
    const grown = Math.min(this.#limit, room * 2);
    const keys = Buffer.allocUnsafe(grown * this.#keySize);
    this.#keys.copy(keys);
    this.#keys = keys;
    const words = new Float64Array(grown * 2);
    words.set(this.#words);
    this.#words = words;
  }
}
