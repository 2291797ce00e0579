/**
 * Elements of a map have one size, so their text has too: a layout is the text of one
 * element with marks where bytes come in. Rendering copies the text and fills in the
 * digits, which is what makes dumps fast.
 */
export interface ElementLayout {
  /** The text of one element (UTF-8), with "00" where bytes come in. */
  readonly template: Uint8Array;
  readonly keys: Marks;
  readonly values: Marks;
}

/** Where the bytes of a column come into the text. */
export interface Marks {
  /** Offsets in the text for the two hexadecimal digits, with the byte's offset in the key or value. */
  readonly hexAt: Int32Array;
  readonly hexFrom: Int32Array;
  /** Offsets in the text for the byte as a character. */
  readonly charAt: Int32Array;
  readonly charFrom: Int32Array;
}

/** Which bytes a mark stands for. */
export type Column = "keys" | "values";

/** Puts a layout together, piece by piece. */
export class LayoutBuilder {
  #text = "";
  #length = 0;
  readonly #marks = { keys: newMarks(), values: newMarks() };

  /** Text that stands in every element. */
  text(text: string): void {
    this.#text += text;
    this.#length += Buffer.byteLength(text);
  }

  /** The two hexadecimal digits of a byte of the key or value. */
  hex(column: Column, offset: number): void {
    const marks = this.#marks[column];
    marks.hexAt.push(this.#length);
    marks.hexFrom.push(offset);
    this.text("00");
  }

  /** The byte as a character where it is printable ASCII, a dot otherwise. */
  char(column: Column, offset: number): void {
    const marks = this.#marks[column];
    marks.charAt.push(this.#length);
    marks.charFrom.push(offset);
    this.text(".");
  }

  build(): ElementLayout {
    return {
      template: Buffer.from(this.#text),
      keys: packMarks(this.#marks.keys),
      values: packMarks(this.#marks.values),
    };
  }
}

function newMarks() {
  return {
    hexAt: [] as number[],
    hexFrom: [] as number[],
    charAt: [] as number[],
    charFrom: [] as number[],
  };
}

function packMarks(marks: ReturnType<typeof newMarks>): Marks {
  return {
    hexAt: Int32Array.from(marks.hexAt),
    hexFrom: Int32Array.from(marks.hexFrom),
    charAt: Int32Array.from(marks.charAt),
    charFrom: Int32Array.from(marks.charFrom),
  };
}
