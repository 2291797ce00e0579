import { CliError, messageOf } from "../cli-error.js";
import { parseByte } from "../grammar/data.js";
import type { ChunkBuilder, CpuValue } from "./chunk-builder.js";
import type { ElementParser } from "./element-parser.js";
import type { ElementTarget } from "./element-target.js";

/** Where the bytes that come next belong. */
type Place = "nowhere" | "key" | "value";

/**
 * Reads elements from lines of text. A line's words are those of bpftool's plain dump
 * ("key: 0a 0b  value: 01 02", hexadecimal, over several lines where it is long, and
 * "value (CPU 00): 01 02") or those of an update command ("key 10 11 value hex 01 02").
 * Empty lines, lines that begin with "#" and "Found N elements" are skipped.
 */
export class TextParser implements ElementParser {
  readonly #builder: ChunkBuilder;
  readonly #keyed: boolean;
  readonly #decoder = new TextDecoder("utf-8");
  #rest = "";
  #line: number;

  /** The line on which the element began. */
  #elementLine = 0;
  /** The line at fault, where it is not the current one. */
  #faultLine: number | undefined;
  #place: Place = "nowhere";
  #hex = false;
  /** Whether a "hex" may stand next: only right after "key" or "value". */
  #hexAllowed = false;
  #key: number[] | undefined;
  #value: number[] | undefined;
  #cpuValues: (CpuValue & { value: number[] })[] = [];

  /** `line` is the number of lines before what is parsed. */
  constructor(builder: ChunkBuilder, target: ElementTarget, line = 0) {
    this.#builder = builder;
    this.#line = line;
    this.#keyed = target.keySize > 0;
  }

  push(block: Buffer): void {
    const lines = (this.#rest + this.#decoder.decode(block, { stream: true })).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) this.#readLine(line);
  }

  end(): void {
    this.#readLine(this.#rest + this.#decoder.decode());
    this.#inLine(() => this.#finishElement());
  }

  #readLine(line: string): void {
    this.#line++;
    const text = line.trim();
    if (text === "" || text.startsWith("#")) return;
    this.#inLine(() => {
      if (text.startsWith("Found ")) this.#finishElement();
      else this.#readWords(text.split(/\s+/));
    });
  }

  /** Says in errors where the file is wrong. */
  #inLine(read: () => void): void {
    try {
      read();
    } catch (error) {
      throw new CliError(`line ${this.#faultLine ?? this.#line}: ${messageOf(error)}`);
    }
  }

  #readWords(words: readonly string[]): void {
    for (let index = 0; index < words.length; index++) {
      const word = words[index]!;
      if (word === "value" && words[index + 1] === "(CPU") {
        this.#startCpuValue(words[index + 2] ?? "");
        index += 2;
      } else {
        this.#readWord(word);
      }
    }
  }

  #readWord(word: string): void {
    switch (word) {
      case "key:":
      case "key":
        this.#finishElement();
        this.#key = [];
        this.#startBytes("key", word === "key:");
        return;
      case "value:":
      case "value":
        if (!this.#keyed) this.#finishElement();
        if (this.#value !== undefined || this.#cpuValues.length > 0) {
          throw new CliError("a second value without a key before it");
        }
        this.#value = [];
        this.#startBytes("value", word === "value:");
        return;
      case "hex":
        if (!this.#hexAllowed) throw new CliError('"hex" stands only after "key" or "value"');
        this.#hex = true;
        this.#hexAllowed = false;
        return;
      default:
        this.#readByte(word);
    }
  }

  #startBytes(place: Place, colon: boolean): void {
    if (place === "key" || this.#key === undefined) this.#elementLine = this.#line;
    this.#place = place;
    this.#hex = colon;
    this.#hexAllowed = !colon;
  }

  #startCpuValue(label: string): void {
    const match = /^(\d+)\):$/.exec(label);
    if (match === null) throw new CliError(`"(CPU ${label}" is no label of a CPU's value`);
    if (this.#value !== undefined) throw new CliError("a second value without a key before it");
    this.#cpuValues.push({ cpu: Number(match[1]), value: [] });
    this.#startBytes("value", true);
  }

  #readByte(word: string): void {
    const byte = parseByte(word, this.#hex);
    if (byte === undefined || byte > 255) throw new CliError(`error parsing byte: ${word}`);
    this.#hexAllowed = false;
    if (this.#place === "nowhere") throw new CliError(`expected key or value, got: ${word}`);
    if (this.#place === "key") this.#key!.push(byte);
    else (this.#cpuValues.at(-1)?.value ?? this.#value!).push(byte);
  }

  #finishElement(): void {
    const hasValue = this.#value !== undefined || this.#cpuValues.length > 0;
    if (this.#key === undefined && !hasValue) return;
    this.#faultLine = this.#elementLine;
    if (!hasValue) throw new CliError("a key without a value");
    if (this.#key === undefined && this.#keyed) throw new CliError("a value without a key");
    const key = this.#key ?? [];
    if (this.#value === undefined) this.#builder.addPerCpu(key, this.#cpuValues);
    else this.#builder.add(key, this.#value);
    this.#key = undefined;
    this.#value = undefined;
    this.#cpuValues = [];
    this.#place = "nowhere";
    this.#faultLine = undefined;
  }
}
