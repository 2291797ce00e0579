import type { KeyRange } from "../key-range.js";

/** Keys in order. Adding one moves those after it: a memmove, cheap up to some 100,000 keys. */
export class SortedKeys {
  readonly #keys: string[] = [];

  /** Adds a key that is not there. */
  add(key: string): void {
    const last = this.#keys.at(-1);
    if (last === undefined || last < key) this.#keys.push(key);
    else this.#keys.splice(this.#indexOf(key), 0, key);
  }

  /** Removes a key that is there. */
  remove(key: string): void {
    this.#keys.splice(this.#indexOf(key), 1);
  }

  /** The keys of a range, in order. */
  within({ from, to }: KeyRange): string[] {
    return this.#keys.slice(this.#indexOf(from), this.#indexOf(to));
  }

  /** Index of the first key that is not before this one. */
  #indexOf(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
