import { CliError, messageOf } from "../cli-error.js";
import { HEX } from "../format/hex.js";
import { parseUnsigned } from "../grammar/number.js";
import type { ChunkBuilder } from "./chunk-builder.js";
import type { ElementParser } from "./element-parser.js";

const BYTE_OF = new Map(HEX.map((digits, byte) => [`0x${digits}`, byte]));

/**
 * Reads elements from the JSON of `-j map dump`, ours or bpftool's. The array may be
 * of any length: its text is cut between its items and parsed piece by piece.
 */
export class JsonParser implements ElementParser {
  readonly #builder: ChunkBuilder;
  readonly #splitter = new ArraySplitter();
  #element: number;
  #skip: boolean;

  /**
   * `elements` is the number of elements that were read already. Where there are some,
   * the first item of the array that is pushed stands for them.
   */
  constructor(builder: ChunkBuilder, elements = 0) {
    this.#builder = builder;
    this.#element = elements;
    this.#skip = elements > 0;
  }

  push(block: Buffer): void {
    const items = this.#splitter.push(block);
    if (items === undefined) return;
    for (const item of parseItems(items)) {
      if (this.#skip) {
        this.#skip = false;
        continue;
      }
      try {
        this.#add(item);
      } catch (error) {
        throw new CliError(`element ${this.#element}: ${messageOf(error)}`);
      }
      this.#element++;
    }
  }

  end(): void {
    this.#splitter.end();
  }

  #add(item: unknown): void {
    if (typeof item !== "object" || item === null) throw new CliError("it is no object");
    const { key, value, values } = item as Record<string, unknown>;
    const keyBytes = key === undefined ? [] : bytesOf(key, "key");
    if (values === undefined) {
      this.#builder.add(keyBytes, bytesOf(value, "value"));
      return;
    }
    if (!Array.isArray(values)) throw new CliError('"values" is no array');
    this.#builder.addPerCpu(
      keyBytes,
      values.map((slot: { cpu?: unknown; value?: unknown } | null) => {
        if (typeof slot?.cpu !== "number") throw new CliError('a value has no "cpu"');
        return { cpu: slot.cpu, value: bytesOf(slot.value, `value of CPU ${slot.cpu}`) };
      }),
    );
  }
}

function parseItems(text: string): unknown[] {
  try {
    return JSON.parse(`[${text}]`) as unknown[];
  } catch (error) {
    throw new CliError(`it is no JSON: ${messageOf(error)}`);
  }
}

/** Bytes as "0x%02x" strings, other texts of numbers, or numbers. */
function bytesOf(value: unknown, what: string): number[] {
  if (!Array.isArray(value)) {
    const error = (value as { error?: unknown } | null | undefined)?.error;
    if (typeof error === "string") throw new CliError(`it has no ${what}: ${error}`);
    throw new CliError(`its ${what} is no array of bytes`);
  }
  return value.map((item: unknown) => {
    const byte =
      typeof item === "string" ? (BYTE_OF.get(item) ?? parseUnsigned(item)) : (item as number);
    if (typeof byte !== "number" || !Number.isInteger(byte) || byte < 0 || byte > 255) {
      throw new CliError(`its ${what} has ${JSON.stringify(item)}, which is no byte`);
    }
    return byte;
  });
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Cuts the text of a JSON array between its items. */
class ArraySplitter {
  /** Bytes of the item that is not whole yet. */
  #rest: Buffer[] = [];
  /** 0 before the array, 1 between its items, more inside of one. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  #ended = false;
  /** Whether a comma was read after the last whole item. */
  #comma = false;

  /** Takes a block; returns the text of the items that are whole now, with the commas between. */
  push(block: Buffer): string | undefined {
    let from = this.#depth === 0 ? -1 : 0;
    let cut = -1;
    for (let at = 0; at < block.length; at++) {
      const byte = block[at]!;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        if (this.#depth === 0) {
          this.#start(byte);
          from = at + 1;
        }
        this.#depth++;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        this.#depth--;
        if (this.#depth < 0) throw new CliError("it is no JSON array of elements");
        if (this.#depth === 0) {
          this.#ended = true;
          cut = at;
        }
      } else if (byte === COMMA && this.#depth === 1) {
        cut = at;
      } else if (this.#depth === 0 && !isSpace(byte)) {
        throw new CliError("it is no JSON array of elements");
      }
    }
    return this.#cut(block, from, cut);
  }

  end(): void {
    if (!this.#ended) throw new CliError("the JSON ends before its array does: the file is cut");
  }

  #start(byte: number): void {
    if (this.#ended || byte !== OPEN_ARRAY) {
      throw new CliError("it is no JSON array of elements");
    }
  }

  #cut(block: Buffer, from: number, cut: number): string | undefined {
    if (from < 0) return undefined;
    if (cut < 0) {
      this.#rest.push(Buffer.from(block.subarray(from)));
      return undefined;
    }
    const text = Buffer.concat([...this.#rest, block.subarray(from, cut)]).toString("utf8");
    this.#rest = this.#ended ? [] : [Buffer.from(block.subarray(cut + 1))];
    const blank = text.trim() === "";
    // "[1,]" and "[,1]" would otherwise be cut into pieces that are each well-formed.
    if (blank && (this.#comma || !this.#ended))
      throw new CliError("it is no JSON: an item is missing");
    this.#comma = !this.#ended;
    return blank ? undefined : text;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
