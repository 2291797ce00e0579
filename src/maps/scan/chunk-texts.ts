import { valueCopier, viewedValueSize } from "../cpu-slots.js";
import type { MapLayout } from "../map-layout.js";
import type { Decoder } from "../typing/decoder.js";
import type { ElementShapes } from "../typing/field-path.js";
import { decoderOf, valueDecoder } from "../typing/json-columns.js";
import type { ChunkOptions } from "./chunk-builder.js";

/** What a dump tells of elements beside their bytes, or instead of them. */
export interface TextOptions {
  readonly shapes: ElementShapes;
  /** Send the bytes, too. */
  readonly bytes: boolean;
}

const FIRST_ROOM = 1 << 16;
/** Mark, and the longest LEB128 number of 32 bits. */
const LONGEST_HEAD = 6;

type Append = (keys: Buffer, keyAt: number, values: Buffer, valueAt: number) => void;

/** The JSON texts of the elements of a chunk, each with its mark and its length. */
export class ChunkTexts {
  readonly #append: Append;
  readonly #most: number;
  #buffer = Buffer.allocUnsafe(FIRST_ROOM);
  #length = 0;

  constructor(layout: MapLayout, options: ChunkOptions, { shapes }: TextOptions) {
    const { projection, room, chunkBytes } = options;
    const marks = room.textMarks ?? { key: 0, value: 0 };
    const key = projection === "values" ? undefined : decoderOf(shapes.key);
    const value = projection === "keys" ? undefined : viewDecoder(layout, options, shapes);
    this.#most = chunkBytes;
    this.#append = (keys, keyAt, values, valueAt) => {
      if (key) this.#put(marks.key, key(keys, keyAt));
      if (value) this.#put(marks.value, value(values, valueAt));
    };
  }

  /** Whether the texts are as long as a chunk should be. */
  get isFull(): boolean {
    return this.#length >= this.#most;
  }

  append(keys: Buffer, keyAt: number, values: Buffer, valueAt: number): void {
    this.#append(keys, keyAt, values, valueAt);
  }

  /** The texts so far, valid until the next {@link append}; then begins anew. */
  take(): Uint8Array {
    const texts = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return texts;
  }

  #put(mark: number, text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#reserve(LONGEST_HEAD + bytes);
    const buffer = this.#buffer;
    let at = this.#length;
    buffer[at++] = mark;
    let rest = bytes;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest & 0x7f) | 0x80;
    buffer[at++] = rest;
    buffer.write(text, at);
    this.#length = at + bytes;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** The decoder of values as they stand in a walk's column, which has all slots. */
function viewDecoder(
  layout: MapLayout,
  { cpuView }: ChunkOptions,
  { value }: ElementShapes,
): Decoder {
  const decode = valueDecoder(value, layout, cpuView);
  if (!cpuView) return decode;
  const copy = valueCopier(layout, cpuView);
  const viewed = Buffer.alloc(viewedValueSize(layout, cpuView));
  return (values, at) => {
    copy(values, at, viewed, 0);
    return decode(viewed, 0);
  };
}
