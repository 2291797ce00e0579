import type { ElementLayout } from "../format/element-layout.js";

const NO_DIGIT = 0xff;
/** The value of each lower-case hexadecimal digit, the form in which dumps are written. */
const DIGIT = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = "0123456789abcdef".indexOf(String.fromCharCode(byte));
  return digit < 0 ? NO_DIGIT : digit;
});

/** The other way round of ElementRenderer: reads an element from text of a layout. */
export class LayoutMatcher {
  /** Bytes of text that an element takes. */
  readonly width: number;
  /** The element that matched last; padding between the slots of CPUs is zero. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly #layout: ElementLayout;
  /** The offsets at which the text is the same for every element. */
  readonly #fixed: Int32Array;

  constructor(layout: ElementLayout, keySize: number, valueStride: number) {
    this.#layout = layout;
    this.width = layout.template.length;
    this.key = new Uint8Array(keySize);
    this.value = new Uint8Array(valueStride);
    const digits = new Set<number>();
    for (const { hexAt } of [layout.keys, layout.values]) {
      for (const at of hexAt) digits.add(at).add(at + 1);
    }
    this.#fixed = Int32Array.from(layout.template.keys()).filter((at) => !digits.has(at));
  }

  /** Whether an element's whole text stands at the offset; if so, reads it. */
  match(text: Uint8Array, at: number): boolean {
    const { template, keys, values } = this.#layout;
    const fixed = this.#fixed;
    for (let i = 0; i < fixed.length; i++) {
      const offset = fixed[i]!;
      if (text[at + offset] !== template[offset]) return false;
    }
    return (
      readDigits(text, at, keys.hexAt, keys.hexFrom, this.key) &&
      readDigits(text, at, values.hexAt, values.hexFrom, this.value)
    );
  }
}

function readDigits(
  text: Uint8Array,
  at: number,
  hexAt: Int32Array,
  hexFrom: Int32Array,
  bytes: Uint8Array,
): boolean {
  for (let i = 0; i < hexAt.length; i++) {
    const offset = at + hexAt[i]!;
    const high = DIGIT[text[offset]!]!;
    const low = DIGIT[text[offset + 1]!]!;
    if (high === NO_DIGIT || low === NO_DIGIT) return false;
    bytes[hexFrom[i]!] = (high << 4) | low;
  }
  return true;
}
