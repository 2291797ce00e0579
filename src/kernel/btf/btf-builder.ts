import type { Btf } from "./btf.js";
import { encodeBtfType } from "./btf-encode.js";
import { HEADER_SIZE, writeBtfHeader } from "./btf-header.js";
import type { BtfInt, BtfMember, BtfWrittenType } from "./btf-type.js";

/** A type to add; what an int and a member mostly are may be left out. */
export type BtfTypeInit =
  | (Pick<BtfInt, "kind" | "name" | "size"> & Partial<BtfInt>)
  | {
      readonly kind: "struct" | "union";
      readonly name: string;
      readonly size: number;
      readonly members: readonly BtfMemberInit[];
    }
  | Exclude<BtfWrittenType, { kind: "int" | "struct" | "union" }>;

/** A member of a struct or union; one that is no bitfield need not say so. */
export type BtfMemberInit = Omit<BtfMember, "bitfieldSize"> & { readonly bitfieldSize?: number };

/**
 * Writes BTF, type by type, for `btfLoad` or for `Btf.parse`. The kernel checks what is
 * loaded: names must be C identifiers, members must fit into their struct.
 */
export class BtfBuilder {
  readonly #words: number[] = [];
  readonly #strings: Buffer[] = [];
  readonly #offsets = new Map<string, number>();
  #stringsEnd: number;
  #nextId: number;

  /** @param base what the new BTF continues, for split BTF. */
  constructor(base?: Btf) {
    this.#nextId = base?.endId ?? 1;
    this.#stringsEnd = base?.stringsEnd ?? 0;
    // Offset 0 is the empty string; split BTF has that of its base.
    if (!base) this.#append("");
    this.#offsets.set("", 0);
  }

  /** Adds a type: its id. Types may name ids that come later. Throws BtfError. */
  add(type: BtfTypeInit): number {
    this.#words.push(...encodeBtfType(complete(type), (string) => this.#intern(string)));
    return this.#nextId++;
  }

  /** The blob, header included. */
  build(): Uint8Array {
    const types = Uint32Array.from(this.#words);
    const strings = Buffer.concat(this.#strings);
    const blob = Buffer.alloc(HEADER_SIZE + types.byteLength + strings.length);
    writeBtfHeader(blob, types.byteLength, strings.length);
    blob.set(new Uint8Array(types.buffer), HEADER_SIZE);
    blob.set(strings, HEADER_SIZE + types.byteLength);
    return blob;
  }

  #intern(string: string): number {
    return this.#offsets.get(string) ?? this.#append(string);
  }

  #append(string: string): number {
    const offset = this.#stringsEnd;
    const bytes = Buffer.from(`${string}\0`);
    this.#strings.push(bytes);
    this.#stringsEnd += bytes.length;
    this.#offsets.set(string, offset);
    return offset;
  }
}

function complete(type: BtfTypeInit): BtfWrittenType {
  if (type.kind === "int") {
    const defaults = { bits: type.size * 8, bitOffset: 0, signed: false, char: false, bool: false };
    return { ...defaults, ...type };
  }
  if ("members" in type) {
    const members = type.members.map((member) => ({
      ...member,
      bitfieldSize: member.bitfieldSize ?? 0,
    }));
    return { ...type, members };
  }
  return type;
}
