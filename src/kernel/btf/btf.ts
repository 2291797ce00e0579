import { decodeBtfType } from "./btf-decode.js";
import { BtfError } from "./btf-error.js";
import { readBtfSections } from "./btf-header.js";
import { BtfKind, kindOf, wordsOfType } from "./btf-kind.js";
import { BtfNameIndex } from "./btf-name-index.js";
import type { BtfKindName, BtfType } from "./btf-type.js";

const KIND_NAMES: readonly BtfKindName[] = [
  "void",
  ...(Object.keys(BtfKind).map((name) => name.toLowerCase()) as BtfKindName[]),
];

/**
 * The types in a BTF blob, read where they lie: nothing is decoded before it is asked
 * for, and the names are indexed at the first search. The kernel's own BTF (5.5 MB,
 * 130,000 types) so costs 0.6 MB beside its bytes, 1.5 MB more once searched.
 *
 * Split BTF, such as a kernel module's, goes on where its base ends: its ids and names
 * count on from the base's, and everything here answers for both.
 */
export class Btf {
  /** What this BTF continues, for split BTF. */
  readonly base: Btf | undefined;
  readonly #words: Uint32Array;
  readonly #strings: Buffer;
  readonly #firstId: number;
  readonly #stringsStart: number;
  /** Word at which each type starts. */
  readonly #starts: Uint32Array;
  #names: BtfNameIndex | undefined;

  private constructor(blob: Uint8Array, base: Btf | undefined) {
    const { types, strings } = readBtfSections(blob);
    this.base = base;
    this.#words = types;
    this.#strings = strings;
    this.#firstId = base?.endId ?? 1;
    this.#stringsStart = base ? base.stringsEnd : 0;
    this.#starts = findStarts(types);
  }

  /**
   * Reads a blob, header included; it must not change after. Throws BtfError where it
   * is no BTF of this machine's byte order or has kinds that are not known.
   */
  static parse(blob: Uint8Array, base?: Btf): Btf {
    return new Btf(blob, base);
  }

  /** One past the last type id. */
  get endId(): number {
    return this.#firstId + this.#starts.length;
  }

  /** Where the strings of BTF that continues this one begin to count. */
  get stringsEnd(): number {
    return this.#stringsStart + this.#strings.length;
  }

  /** The type with this id; id 0 is void. Throws BtfError where there is none. */
  type(id: number): BtfType {
    if (id === 0) return { kind: "void" };
    if (this.base && id < this.#firstId) return this.base.type(id);
    return decodeBtfType(this.#words, this.#start(id), (offset) => this.#string(offset));
  }

  /** The kind of a type, without decoding it. */
  kind(id: number): BtfKindName {
    if (id === 0) return "void";
    if (this.base && id < this.#firstId) return this.base.kind(id);
    return KIND_NAMES[kindOf(this.#words[this.#start(id) + 1] as number)] as BtfKindName;
  }

  /** Ids of the types of this name, and of this kind if given, ascending. */
  find(name: string, kind?: BtfKindName): number[] {
    const inherited = this.base?.find(name, kind) ?? [];
    return [...inherited, ...this.#findOwn(name, kind)];
  }

  /** The one type of this name and kind. Throws BtfError where there is none or are many. */
  findOne(name: string, kind: BtfKindName): number {
    const ids = this.find(name, kind);
    if (ids.length === 1) return ids[0] as number;
    throw new BtfError(`BTF has ${ids.length === 0 ? "no" : ids.length} ${kind} named ${name}`);
  }

  #findOwn(name: string, kind: BtfKindName | undefined): number[] {
    if (name === "") return [];
    this.#names ??= new BtfNameIndex(
      this.#starts.length,
      (index) => this.#words[this.#starts[index] as number] as number,
    );
    const ids: number[] = [];
    for (const offset of this.#offsetsOf(name)) {
      for (const index of this.#names.withName(offset)) ids.push(this.#firstId + index);
    }
    const wanted = kind === undefined ? ids : ids.filter((id) => this.kind(id) === kind);
    return wanted.sort((a, b) => a - b);
  }

  /**
   * Every offset at which the string stands, in the base's strings too. A name may be
   * the end of a longer string, and a linker may leave the same string twice.
   */
  *#offsetsOf(name: string): Generator<number> {
    if (this.base) yield* this.base.#offsetsOf(name);
    const needle = Buffer.from(`${name}\0`);
    let at = this.#strings.indexOf(needle);
    while (at >= 0) {
      yield this.#stringsStart + at;
      at = this.#strings.indexOf(needle, at + 1);
    }
  }

  #start(id: number): number {
    const start = this.#starts[id - this.#firstId];
    if (start === undefined) throw new BtfError(`BTF has no type ${id}`);
    return start;
  }

  #string(offset: number): string {
    if (this.base && offset < this.#stringsStart) return this.base.#string(offset);
    const start = offset - this.#stringsStart;
    const end = this.#strings.indexOf(0, start);
    if (end < 0) throw new BtfError(`BTF has no string at ${offset}`);
    return this.#strings.toString("utf8", start, end);
  }
}

function findStarts(words: Uint32Array): Uint32Array {
  // A type has at least three words, so this is room enough; then cut to what is there.
  const starts = new Uint32Array(Math.ceil(words.length / 3));
  let count = 0;
  for (let at = 0; at < words.length; ) {
    const length = wordsOfType(words[at + 1] ?? 0);
    if (length < 0) {
      throw new BtfError(`BTF kind ${kindOf(words[at + 1] ?? 0)} is not known to this program`);
    }
    if (at + length > words.length) throw new BtfError("the last BTF type is cut off");
    starts[count++] = at;
    at += length;
  }
  return starts.slice(0, count);
}
