import { CliError } from "../cli-error.js";
import { isPrefix } from "./keyword.js";
import { parseUnsigned } from "./number.js";
import type { Words } from "./words.js";

/** A byte as bpftool reads it: decimal, 0x or 0 octal; with `hex`, hexadecimal. */
export function parseByte(word: string, hex: boolean): number | undefined {
  if (!hex) return parseUnsigned(word);
  return /^(0[xX])?[0-9a-fA-F]+$/.test(word) ? Number.parseInt(word, 16) : undefined;
}

/**
 * Takes DATA := [hex] BYTES, exactly `size` of them: as bpftool, so that hexadecimal
 * "a" or "e" is never taken for a keyword. `what` ("key", "value") names it in errors.
 *
 * bpftool cuts numbers above 255 to 8 bits; here they are refused.
 */
export function takeData(words: Words, size: number, what: string): Uint8Array {
  const first = words.peek();
  const hex = first !== undefined && isPrefix(first, "hex");
  if (hex) words.take("hex");
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) {
    const word = words.peek();
    const value = word === undefined ? undefined : parseByte(word, hex);
    if (word === undefined || value === undefined) {
      if (word === undefined || /^[a-z]+$/.test(word)) {
        throw new CliError(`${what} expected ${size} bytes got ${index}`);
      }
      throw new CliError(`error parsing byte: ${word}`);
    }
    if (value > 255) throw new CliError(`error parsing byte: ${word} is above 255`);
    bytes[index] = value;
    words.next(what);
  }
  return bytes;
}

/** A key or value of a command line: bytes, or JSON of the map's types. */
export type Data = Uint8Array | { readonly json: string };

/** The request fields of a key: in the form that it was given in. */
export function keyFields(key: Data): { keys: Uint8Array } | { jsonKeys: string[] } {
  return key instanceof Uint8Array ? { keys: key } : { jsonKeys: [key.json] };
}

/** The request fields of a value. */
export function valueFields(value: Data): { values: Uint8Array } | { jsonValues: string[] } {
  return value instanceof Uint8Array ? { values: value } : { jsonValues: [value.json] };
}

/**
 * Takes DATA, or JSON: a word that begins as JSON does, or any word after `json`, which
 * tells a number or a bool from bytes.
 */
export function takeDataOrJson(words: Words, size: number, what: string): Data {
  const first = words.peek() ?? "";
  if (/^[{["]/.test(first)) return { json: words.next(what) };
  if (first !== "json") return takeData(words, size, what);
  words.next(what);
  return { json: words.next(`${what} after json`) };
}

/** Parses a whole option value as DATA of any length, such as "hex 0a 0b" or "10,11". */
export function parseDataText(text: string, what: string): Uint8Array {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  const hex = words[0] === "hex";
  const bytes = (hex ? words.slice(1) : words).map((word) => {
    const value = parseByte(word, hex);
    if (value === undefined || value > 255) throw new CliError(`${what}: "${word}" is not a byte`);
    return value;
  });
  if (bytes.length === 0) throw new CliError(`${what}: no bytes given`);
  return Uint8Array.from(bytes);
}
