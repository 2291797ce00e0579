import type { ElementLayout, Marks } from "./element-layout.js";

const SLAB_BYTES = 256 * 1024;
const DIGITS = Buffer.from("0123456789abcdef");
const DOT = 0x2e;

const HIGH = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS[byte >> 4]!);
const LOW = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS[byte & 15]!);
const PRINTABLE = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x7f ? byte : DOT,
);

/** Keys and values back to back, as the contract's Elements. */
export interface ElementColumns {
  readonly count: number;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

/**
 * Turns columns into text by a layout. The text of many elements is made at once in a
 * slab of memory that is used again for the next: what {@link render} yields must be
 * written out before it is asked for more.
 */
export class ElementRenderer {
  readonly #layout: ElementLayout;
  readonly #slab: Uint8Array;
  readonly #perSlab: number;

  constructor(layout: ElementLayout) {
    const width = layout.template.length;
    this.#layout = layout;
    this.#perSlab = Math.max(1, Math.floor(SLAB_BYTES / Math.max(1, width)));
    this.#slab = new Uint8Array(this.#perSlab * width);
    for (let index = 0; index < this.#perSlab; index++) {
      this.#slab.set(layout.template, index * width);
    }
  }

  /** Yields the text of the elements in slabs. */
  *render(elements: ElementColumns): Generator<Uint8Array, void> {
    const { template, keys, values } = this.#layout;
    const keySize = elements.count === 0 ? 0 : elements.keys.length / elements.count;
    const valueSize = elements.count === 0 ? 0 : elements.values.length / elements.count;
    for (let first = 0; first < elements.count; first += this.#perSlab) {
      const count = Math.min(this.#perSlab, elements.count - first);
      for (let index = 0; index < count; index++) {
        const at = index * template.length;
        fill(this.#slab, at, keys, elements.keys, (first + index) * keySize);
        fill(this.#slab, at, values, elements.values, (first + index) * valueSize);
      }
      yield this.#slab.subarray(0, count * template.length);
    }
  }
}

/** Fills in one element's bytes: `at` is where its text begins, `from` where its bytes do. */
function fill(out: Uint8Array, at: number, marks: Marks, bytes: Uint8Array, from: number): void {
  const { hexAt, hexFrom, charAt, charFrom } = marks;
  for (let i = 0; i < hexAt.length; i++) {
    const byte = bytes[from + hexFrom[i]!]!;
    const offset = at + hexAt[i]!;
    out[offset] = HIGH[byte]!;
    out[offset + 1] = LOW[byte]!;
  }
  for (let i = 0; i < charAt.length; i++) {
    out[at + charAt[i]!] = PRINTABLE[bytes[from + charFrom[i]!]!]!;
  }
}
