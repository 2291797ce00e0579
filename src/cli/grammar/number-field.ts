import { NumberType } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";

/** A whole number in each element, as the user names it. */
export type NumberFieldArg = { readonly text: string } & (
  | { readonly path: string }
  | { readonly offset: number; readonly type: NumberType }
);

const TYPES: ReadonlyMap<string, NumberType> = new Map([
  ["u8", NumberType.U8],
  ["u16", NumberType.U16],
  ["u32", NumberType.U32],
  ["u64", NumberType.U64],
  ["i8", NumberType.I8],
  ["i16", NumberType.I16],
  ["i32", NumberType.I32],
  ["i64", NumberType.I64],
  // As `map top` has them.
  ["1", NumberType.U8],
  ["2", NumberType.U16],
  ["4", NumberType.U32],
  ["8", NumberType.U64],
]);

/** Parses a path of the map's types, such as "value.bytes", or OFFSET/TYPE, such as "8/u64". */
export function parseNumberField(text: string): NumberFieldArg {
  if (/^(key|value)([.[]|$)/.test(text)) return { text, path: text };
  const [, offset, name = ""] = /^(\d{1,9})\/(\w+)$/.exec(text) ?? [];
  const type = TYPES.get(name);
  if (offset !== undefined && type !== undefined) return { text, offset: Number(offset), type };
  throw new CliError(
    `--field: "${text}" is neither a path, such as value.bytes, nor OFFSET/TYPE, such as 8/u64 ` +
      "(u8, u16, u32, u64, i8, i16, i32, i64)",
  );
}

/** The first number of values of so many bytes: what is meant where nothing is named. */
export function firstNumber(valueSize: number): NumberFieldArg {
  if (valueSize >= 8) return { text: "0/u64", offset: 0, type: NumberType.U64 };
  if (valueSize >= 4) return { text: "0/u32", offset: 0, type: NumberType.U32 };
  if (valueSize >= 2) return { text: "0/u16", offset: 0, type: NumberType.U16 };
  return { text: "0/u8", offset: 0, type: NumberType.U8 };
}
