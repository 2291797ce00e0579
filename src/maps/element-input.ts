import type { Columns } from "./columns.js";
import type { ObjectKey, ObjectValue, ProgramRef } from "./object-ref.js";

/**
 * A column of keys or values as a request gives it: the map's own bytes back to back,
 * kernel objects, or JSON of the map's types. The last two become bytes once the map is
 * open: see `withElements` and `withKeys`.
 */
export type InputColumn<Item> =
  | Uint8Array
  | { readonly form: "objects"; readonly items: readonly Item[] }
  | { readonly form: "json"; readonly items: readonly string[] };

/** `count` keys of a request. */
export interface KeysInput {
  readonly count: number;
  readonly keys: InputColumn<ObjectKey>;
}

/** `count` elements of a request. {@link Columns} are such, too. */
export interface ElementsInput extends KeysInput {
  readonly values: InputColumn<ObjectValue>;
}

/** Types for a map that has none of its own, or instead of them: the contract's `Typing`. */
export interface Typing {
  /** Where the types are looked for; absent for the map's own BTF. */
  readonly source?:
    | { readonly by: "program"; readonly program: ProgramRef }
    | { readonly by: "kernel"; readonly name: string }
    | { readonly by: "btfId"; readonly id: number }
    | undefined;
  /** Name of the key's type; "" for keys of no type. */
  readonly keyType: string;
  /** Name of the value's type, of one CPU's value in per-CPU maps. */
  readonly valueType: string;
}

/** How a caller wants keys and values to stand in an answer. */
export interface Reading {
  readonly format: "bytes" | "json" | "both";
  readonly typing?: Typing | undefined;
}

/**
 * Elements of an answer: what the kernel answered, and beside it the kernel objects that
 * values of 4 or 8 bytes stand for. With JSON the bytes are
 * empty, unless both were asked for.
 */
export interface ElementsAnswer extends Columns {
  readonly objectValues?: readonly ObjectValue[] | undefined;
  readonly jsonKeys?: readonly string[] | undefined;
  readonly jsonValues?: readonly string[] | undefined;
}

/** Whether all of a request's columns are bytes already. */
export function isPlain(input: ElementsInput): input is Columns {
  return input.keys instanceof Uint8Array && input.values instanceof Uint8Array;
}
