import type { MapType } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";
import { type Data, keyFields, takeDataOrJson, valueFields } from "./data.js";
import {
  type HostNames,
  type ObjectKeyInit,
  type ObjectValueInit,
  takeObjectKey,
  takeObjectValue,
} from "./object-args.js";
import type { Words } from "./words.js";

/** Sizes of a map that DATA must fit. */
export interface ElementSizes {
  readonly keySize: number;
  readonly valueSize: number;
}

/** The kernel's BPF_ANY, BPF_NOEXIST and BPF_EXIST, by bpftool's names. */
export type UpdateFlag = "any" | "noexist" | "exist";

/** In the order in which bpftool tries prefixes. */
const FLAGS: readonly UpdateFlag[] = ["any", "noexist", "exist"];

/** A key as the map has them: bytes, JSON of its type, or a kernel object. */
export type KeyArg = Data | ObjectKeyInit;

/** A value as the map has them. */
export type ValueArg = Data | ObjectValueInit;

export interface UpdateArgs {
  readonly key: KeyArg;
  readonly value: ValueArg;
  readonly flag: UpdateFlag;
}

/** Whether it is a kernel object, and neither bytes nor JSON. */
export function isObject<T extends object>(arg: Data | T): arg is T {
  return !(arg instanceof Uint8Array) && !("json" in arg);
}

/** The columns of one key. */
export function keyColumn(key: KeyArg) {
  return isObject(key) ? { objectKeys: [key] } : keyFields(key);
}

/** The columns of one value. */
export function valueColumn(value: ValueArg) {
  return isObject(value) ? { objectValues: [value] } : valueFields(value);
}

/** Sizes of a map, and its type, which says what its keys and values are. */
export type TypedSizes = ElementSizes & { readonly type: MapType };

/**
 * Takes [key KEY] [value VALUE] [any | exist | noexist] in any order, as bpftool does.
 * Maps without keys (queues, stacks, bloom filters) take no key.
 */
export function takeUpdate(words: Words, sizes: TypedSizes, names: HostNames): UpdateArgs {
  let key: KeyArg | undefined;
  let value: ValueArg | undefined;
  let flag: UpdateFlag | undefined;
  while (!words.done) {
    if (words.take("key")) {
      if (key !== undefined) throw new CliError("key already specified");
      if (sizes.keySize === 0) throw new CliError("this map has no keys");
      key = takeObjectKey(words, sizes.type) ?? takeDataOrJson(words, sizes.keySize, "key");
    } else if (words.take("value")) {
      if (value !== undefined) throw new CliError("value already specified");
      value =
        takeObjectValue(words, sizes.type, names) ??
        takeDataOrJson(words, sizes.valueSize, "value");
    } else {
      const given = FLAGS.find((candidate) => words.take(candidate));
      if (given === undefined) throw new CliError(`expected key or value, got: ${words.peek()}`);
      if (flag !== undefined) throw new CliError("flags already specified");
      flag = given;
    }
  }
  if (key === undefined && sizes.keySize > 0) throw new CliError("did not find key");
  if (value === undefined) throw new CliError("did not find value");
  return { key: key ?? new Uint8Array(0), value, flag: flag ?? "any" };
}

/** Takes [key DATA] and nothing else. Undefined where there is no word left. */
export function takeOptionalKey(words: Words, sizes: ElementSizes): Data | undefined {
  if (words.done) return undefined;
  if (!words.take("key")) throw new CliError(`expected key or value, got: ${words.peek()}`);
  if (sizes.keySize === 0) throw new CliError("this map has no keys");
  const key = takeDataOrJson(words, sizes.keySize, "key");
  if (!words.done) throw new CliError(`expected key or value, got: ${words.peek()}`);
  return key;
}

/** Takes key KEY and nothing else, bytes or an object; a map without keys takes none. */
export function takeAnyKey(words: Words, sizes: TypedSizes): KeyArg {
  const keyword = words.peek();
  if (keyword === undefined || sizes.keySize === 0 || !words.take("key")) {
    return takeKey(words, sizes);
  }
  const key = takeObjectKey(words, sizes.type) ?? takeDataOrJson(words, sizes.keySize, "key");
  if (!words.done) throw new CliError(`expected key or value, got: ${words.peek()}`);
  return key;
}

/** Takes key DATA and nothing else; a map without keys takes none. */
export function takeKey(words: Words, sizes: ElementSizes): Data {
  const key = takeOptionalKey(words, sizes);
  if (key === undefined && sizes.keySize > 0) throw new CliError("did not find key");
  return key ?? new Uint8Array(0);
}

/** Takes value DATA and nothing else, for a map without keys. */
export function takeValue(words: Words, sizes: ElementSizes): Data {
  if (!words.take("value")) throw new CliError("did not find value");
  const value = takeDataOrJson(words, sizes.valueSize, "value");
  words.expectEnd();
  return value;
}
