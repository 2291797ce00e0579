/**
 * Finds the types that carry a name, by the offset of the name in the string section.
 * A chained hash in two typed arrays: the kernel's own BTF has 130,000 types, and as
 * many entries of a `Map` would take ten times the memory and the time to build.
 */
export class BtfNameIndex {
  readonly #heads: Uint32Array;
  readonly #next: Uint32Array;
  readonly #shift: number;
  readonly #nameOf: (index: number) => number;

  /** @param nameOf offset of the name of the index-th type, 0 for none. */
  constructor(count: number, nameOf: (index: number) => number) {
    const bits = Math.max(4, Math.ceil(Math.log2(count + 1)));
    this.#shift = 32 - bits;
    this.#heads = new Uint32Array(2 ** bits);
    this.#next = new Uint32Array(count + 1);
    this.#nameOf = nameOf;
    // Backwards, so that each chain runs forwards. Entries are one more than the index.
    for (let index = count - 1; index >= 0; index--) {
      const name = nameOf(index);
      if (name === 0) continue;
      const slot = this.#slot(name);
      this.#next[index + 1] = this.#heads[slot] as number;
      this.#heads[slot] = index + 1;
    }
  }

  /** Indexes of the types with this name offset, ascending. */
  *withName(name: number): Generator<number> {
    let entry = this.#heads[this.#slot(name)] as number;
    while (entry !== 0) {
      if (this.#nameOf(entry - 1) === name) yield entry - 1;
      entry = this.#next[entry] as number;
    }
  }

  #slot(name: number): number {
    return Math.imul(name, 0x9e3779b1) >>> this.#shift;
  }
}
