import { readFile } from "node:fs/promises";

/** A place in the kernel's code. */
export interface KernelSymbol {
  readonly name: string;
  /** The module that it belongs to; undefined for the kernel itself. */
  readonly module?: string;
  /** Bytes from the symbol's start. */
  readonly offset: number;
}

const KALLSYMS = "/proc/kallsyms";
const NEWLINE = 10;
/** Lines are 16 digits, a space, the type, a space, the name, and for modules a tab and [MODULE]. */
const DIGITS = 16;
const TYPE_AT = 17;
const NAME_AT = 19;

/**
 * The kernel's functions at the time of the reading, sorted by address: the text of 5 MB
 * and 1 MB beside it. Modules and programs that are loaded later are not in it.
 */
export class KernelSymbols {
  readonly #text: Buffer;
  /** Addresses, ascending, as {@link comparable} numbers. */
  readonly #addresses: Float64Array;
  /** Where the line of each starts in the text. */
  readonly #lines: Uint32Array;

  private constructor(text: Buffer, addresses: Float64Array, lines: Uint32Array) {
    this.#text = text;
    this.#addresses = addresses;
    this.#lines = lines;
  }

  /**
   * Reads /proc/kallsyms, which takes a tenth of a second; undefined where this process
   * may not see addresses (kptr_restrict, or no CAP_SYSLOG): the kernel shows zeros.
   */
  static async read(): Promise<KernelSymbols | undefined> {
    return KernelSymbols.parse(await readFile(KALLSYMS));
  }

  /** The same, of the text of a kallsyms file, which must not change after. */
  static parse(text: Buffer): KernelSymbols | undefined {
    const { addresses, lines } = readLines(text);
    if (addresses.length === 0) return undefined;
    if (isAscending(addresses)) return new KernelSymbols(text, addresses, lines);
    // Stable, so that of several names at one address the first stays the first.
    const order = Uint32Array.from(addresses.keys()).sort(
      (a, b) => (addresses[a] as number) - (addresses[b] as number) || a - b,
    );
    return new KernelSymbols(
      text,
      Float64Array.from(order, (index) => addresses[index] as number),
      Uint32Array.from(order, (index) => lines[index] as number),
    );
  }

  /**
   * The function that an address lies in or behind, by the first of its names; undefined
   * before the first function.
   */
  resolve(address: bigint): KernelSymbol | undefined {
    const wanted = comparable(Number(address >> 32n), Number(address & 0xffffffffn));
    const last = this.#lastAtOrBefore(wanted);
    if (last < 0) return undefined;
    const start = this.#addresses[last] as number;
    let first = last;
    while (this.#addresses[first - 1] === start) first--;
    return { ...this.#symbol(first), offset: wanted - start };
  }

  #lastAtOrBefore(address: number): number {
    let [low, high] = [0, this.#addresses.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#addresses[middle] as number) <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #symbol(index: number): { name: string; module?: string } {
    const start = (this.#lines[index] as number) + NAME_AT;
    const line = this.#text.toString("latin1", start, endOfLine(this.#text, start));
    const [name = "", module] = line.split("\t");
    return module === undefined ? { name } : { name, module: module.slice(1, -1) };
  }
}

function readLines(text: Buffer): { addresses: Float64Array; lines: Uint32Array } {
  const addresses: number[] = [];
  const lines: number[] = [];
  for (let line = 0; line < text.length; line = endOfLine(text, line) + 1) {
    if (!isCode(text[line + TYPE_AT] as number)) continue;
    const address = comparable(hex(text, line), hex(text, line + DIGITS / 2));
    if (address === 0) continue;
    addresses.push(address);
    lines.push(line);
  }
  return { addresses: Float64Array.from(addresses), lines: Uint32Array.from(lines) };
}

/**
 * An address as a number that is exact. The kernel's addresses begin with the same 16
 * bits on both machines, so the other 48 tell them apart.
 */
function comparable(high: number, low: number): number {
  return (high & 0xffff) * 2 ** 32 + low;
}

/** Eight hexadecimal digits, lower case, as a number. */
function hex(text: Buffer, start: number): number {
  let value = 0;
  for (let at = start; at < start + DIGITS / 2; at++) {
    const digit = text[at] as number;
    value = (value << 4) | (digit < 58 ? digit - 48 : digit - 87);
  }
  return value >>> 0;
}

/** t and T are code, w and W weak code; the rest is data. */
function isCode(type: number): boolean {
  const letter = String.fromCharCode(type | 0x20);
  return letter === "t" || letter === "w";
}

function endOfLine(text: Buffer, start: number): number {
  const newline = text.indexOf(NEWLINE, start);
  return newline < 0 ? text.length : newline;
}

function isAscending(addresses: Float64Array): boolean {
  return addresses.every(
    (address, index) => index === 0 || address >= (addresses[index - 1] as number),
  );
}
