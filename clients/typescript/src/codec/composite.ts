import { invalidArgument } from "../errors.js";
import type { Codec, ValueOf } from "./codec.js";

/** A fixed number of values of one type, back to back. */
export function array<T>(item: Codec<T>, length: number): Codec<T[]> {
  return strided(item, length, item.size);
}

/** Values of one type, one every `stride` bytes; what lies between them is zero. */
export function strided<T>(item: Codec<T>, length: number, stride: number): Codec<T[]> {
  return {
    size: stride * length,
    alignment: item.alignment,
    write(values, view, offset, littleEndian) {
      if (values.length !== length) {
        throw invalidArgument(`${values.length} values where ${length} are needed`);
      }
      clear(view, offset, stride * length);
      for (const [index, value] of values.entries()) {
        item.write(value, view, offset + index * stride, littleEndian);
      }
    },
    read: (view, offset, littleEndian) =>
      Array.from({ length }, (_, index) => item.read(view, offset + index * stride, littleEndian)),
  };
}

type Fields = Readonly<Record<string, Codec<unknown>>>;
type StructOf<F> = { -readonly [K in keyof F]: ValueOf<F[K]> };

/**
 * A struct of C: its members in order, each at the next offset that its alignment allows,
 * padded at the end to a multiple of the largest alignment; `packed` leaves the padding
 * out. Padding is written as zeros, which hash maps need, since their keys are compared
 * as bytes.
 */
export function struct<const F extends Fields>(
  fields: F,
  options: { readonly packed?: boolean } = {},
): Codec<StructOf<F>> {
  const alignmentOf = (codec: Codec<unknown>) => (options.packed ? 1 : codec.alignment);
  const members: { name: string; codec: Codec<unknown>; at: number }[] = [];
  let end = 0;
  let alignment = 1;
  for (const [name, codec] of Object.entries(fields)) {
    const at = roundUp(end, alignmentOf(codec));
    members.push({ name, codec, at });
    end = at + codec.size;
    alignment = Math.max(alignment, alignmentOf(codec));
  }
  const size = roundUp(end, alignment);
  return {
    size,
    alignment,
    write(value, view, offset, littleEndian) {
      const given = value as Record<string, unknown>;
      const unknown = Object.keys(given).find((name) => !(name in fields));
      if (unknown !== undefined) throw invalidArgument(`the struct has no member ${unknown}`);
      clear(view, offset, size);
      for (const { name, codec, at } of members) {
        if (given[name] === undefined) throw invalidArgument(`the member ${name} is missing`);
        codec.write(given[name], view, offset + at, littleEndian);
      }
    },
    read(view, offset, littleEndian) {
      const value: Record<string, unknown> = {};
      for (const { name, codec, at } of members) {
        value[name] = codec.read(view, offset + at, littleEndian);
      }
      return value as StructOf<F>;
    },
  };
}

function clear(view: DataView, offset: number, size: number): void {
  new Uint8Array(view.buffer, view.byteOffset + offset, size).fill(0);
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
