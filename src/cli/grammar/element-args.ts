import { CliError } from "../cli-error.js";
import { takeData } from "./data.js";
import type { Words } from "./words.js";

/** Sizes of a map that DATA must fit. */
export interface ElementSizes {
  readonly keySize: number;
  readonly valueSize: number;
}

/** The kernel's BPF_ANY, BPF_NOEXIST and BPF_EXIST, by bpftool's names. */
export type UpdateFlag = "any" | "noexist" | "exist";

export interface UpdateArgs {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly flag: UpdateFlag;
}

/**
 * Takes [key DATA] [value DATA] [any | exist | noexist] in any order, as bpftool does.
 * Maps without keys (queues, stacks, bloom filters) take no key.
 */
export function takeUpdate(words: Words, sizes: ElementSizes): UpdateArgs {
  let key: Uint8Array | undefined;
  let value: Uint8Array | undefined;
  let flag: UpdateFlag = "any";
  while (!words.done) {
    if (words.take("key")) {
      if (key !== undefined) throw new CliError("key already specified");
      if (sizes.keySize === 0) throw new CliError("this map has no keys");
      key = takeData(words, sizes.keySize, "key");
    } else if (words.take("value")) {
      if (value !== undefined) throw new CliError("value already specified");
      value = takeData(words, sizes.valueSize, "value");
    } else if (words.take("any")) {
      flag = "any";
    } else if (words.take("noexist")) {
      flag = "noexist";
    } else if (words.take("exist")) {
      flag = "exist";
    } else {
      throw new CliError(`expected key or value, got: ${words.peek()}`);
    }
  }
  if (key === undefined && sizes.keySize > 0) throw new CliError("did not find key");
  if (value === undefined) throw new CliError("did not find value");
  return { key: key ?? new Uint8Array(0), value, flag };
}

/** Takes [key DATA] and nothing else. Undefined where there is no word left. */
export function takeOptionalKey(words: Words, sizes: ElementSizes): Uint8Array | undefined {
  if (words.done) return undefined;
  if (!words.take("key")) throw new CliError(`expected key or value, got: ${words.peek()}`);
  if (sizes.keySize === 0) throw new CliError("this map has no keys");
  const key = takeData(words, sizes.keySize, "key");
  if (!words.done) throw new CliError(`expected key or value, got: ${words.peek()}`);
  return key;
}

/** Takes key DATA and nothing else; a map without keys takes none. */
export function takeKey(words: Words, sizes: ElementSizes): Uint8Array {
  const key = takeOptionalKey(words, sizes);
  if (key === undefined && sizes.keySize > 0) throw new CliError("did not find key");
  return key ?? new Uint8Array(0);
}

/** Takes value DATA and nothing else, for a map without keys. */
export function takeValue(words: Words, sizes: ElementSizes): Uint8Array {
  if (!words.take("value")) throw new CliError("did not find value");
  const value = takeData(words, sizes.valueSize, "value");
  words.expectEnd();
  return value;
}
