import { HEX } from "./hex.js";

const INDENT = "    ";

/**
 * Writes JSON piece by piece with the punctuation and indentation of bpftool's
 * json_writer.c, so that `-j` and `-p` give the same text, and a dump of any length
 * can be written as it comes.
 */
export class JsonWriter {
  readonly #write: (text: string) => void;
  readonly #pretty: boolean;
  #depth: number;
  /** What separates the next item from what stands before it. */
  #separator = "";

  /** `depth` is that of what is already open where the writer takes over. */
  constructor(write: (text: string) => void, pretty: boolean, depth = 0) {
    this.#write = write;
    this.#pretty = pretty;
    this.#depth = depth;
  }

  get depth(): number {
    return this.#depth;
  }

  startObject(): void {
    this.#begin("{");
  }

  endObject(): void {
    this.#end("}");
  }

  startArray(): void {
    this.#begin("[");
  }

  endArray(): void {
    this.#end("]");
  }

  /** The name of an object's member; its value must follow. */
  name(name: string): void {
    this.#item();
    this.#newLine();
    this.#separator = "";
    this.#write(`${JSON.stringify(name)}:${this.#pretty ? " " : ""}`);
  }

  /** A string, number, boolean, bigint or null. */
  value(value: string | number | boolean | bigint | null): void {
    this.#item();
    this.#write(typeof value === "bigint" ? String(value) : JSON.stringify(value));
  }

  /** A member with its value. */
  member(name: string, value: string | number | boolean | bigint | null): void {
    this.name(name);
    this.value(value);
  }

  /** An array of bytes as "0x%02x" strings. */
  bytes(bytes: Uint8Array): void {
    this.byteArray(bytes.length, (index) => this.#write(HEX[bytes[index]!]!));
  }

  /** An array of `size` "0x%02x" strings whose two digits `writeByte` writes. */
  byteArray(size: number, writeByte: (index: number) => void): void {
    this.startArray();
    for (let index = 0; index < size; index++) {
      this.#item();
      this.#write('"0x');
      writeByte(index);
      this.#write('"');
    }
    this.endArray();
  }

  /** Tells the writer that items were written past it, so that separators stay right. */
  wroteItems(): void {
    this.#separator = ",";
  }

  /** The line's end after a whole document. */
  finish(): void {
    this.#write("\n");
    this.#separator = "";
  }

  #item(): void {
    if (this.#separator !== "") this.#write(this.#separator);
    this.#separator = ",";
  }

  #newLine(): void {
    if (this.#pretty) this.#write(`\n${INDENT.repeat(this.#depth)}`);
  }

  #begin(bracket: string): void {
    this.#item();
    this.#write(bracket);
    this.#depth++;
    this.#separator = "";
  }

  #end(bracket: string): void {
    this.#depth--;
    if (this.#separator !== "") this.#newLine();
    this.#write(bracket);
    this.#separator = ",";
  }
}

/** Writes one JSON document into a string. */
export function jsonText(pretty: boolean, write: (json: JsonWriter) => void): string {
  const parts: string[] = [];
  const json = new JsonWriter((text) => parts.push(text), pretty);
  write(json);
  json.finish();
  return parts.join("");
}

/** Any plain value as bpftool would write it. */
export type JsonValue =
  | string
  | number
  | boolean
  | bigint
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue | undefined };

/** Writes a plain value; members that are undefined are left out. */
export function writeJson(json: JsonWriter, value: JsonValue): void {
  if (value === null || typeof value !== "object") {
    json.value(value);
  } else if (Array.isArray(value)) {
    json.startArray();
    for (const item of value) writeJson(json, item);
    json.endArray();
  } else {
    json.startObject();
    for (const [name, member] of Object.entries(value)) {
      if (member === undefined) continue;
      json.name(name);
      writeJson(json, member);
    }
    json.endObject();
  }
}
