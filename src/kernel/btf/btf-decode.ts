import { BtfError } from "./btf-error.js";
import { BtfKind, kindOf, memberCountOf, TYPE_WORDS } from "./btf-kind.js";
import type { BtfMember, BtfType, BtfWrittenType } from "./btf-type.js";

/** The string at an offset of the string section. */
type Strings = (offset: number) => string;

const INT_SIGNED = 1;
const INT_CHAR = 2;
const INT_BOOL = 4;

/** Decodes the type that starts at this word of the type section. */
export function decodeBtfType(words: Uint32Array, at: number, strings: Strings): BtfWrittenType {
  return new TypeReader(words, at, strings).read();
}

class TypeReader {
  readonly #words: Uint32Array;
  readonly #at: number;
  readonly #strings: Strings;

  constructor(words: Uint32Array, at: number, strings: Strings) {
    this.#words = words;
    this.#at = at;
    this.#strings = strings;
  }

  read(): BtfWrittenType {
    const info = this.#word(1);
    // One bit whose meaning is the kind's own.
    const flag = info >>> 31 === 1;
    const size = this.#word(2);
    const type = size;
    const name = this.#string(0);
    switch (kindOf(info)) {
      case BtfKind.INT:
        return this.#int();
      case BtfKind.PTR:
        return { kind: "ptr", type };
      case BtfKind.ARRAY: {
        const [element, indexType, length] = [this.#word(3), this.#word(4), this.#word(5)];
        return { kind: "array", type: element, indexType, length };
      }
      case BtfKind.STRUCT:
        return { kind: "struct", name, size, members: this.#members(flag) };
      case BtfKind.UNION:
        return { kind: "union", name, size, members: this.#members(flag) };
      case BtfKind.ENUM:
        return { kind: "enum", name, size, signed: flag, values: this.#values(flag) };
      case BtfKind.FWD:
        return { kind: "fwd", name, union: flag };
      case BtfKind.TYPEDEF:
        return { kind: "typedef", name, type };
      case BtfKind.VOLATILE:
        return { kind: "volatile", type };
      case BtfKind.CONST:
        return { kind: "const", type };
      case BtfKind.RESTRICT:
        return { kind: "restrict", type };
      case BtfKind.FUNC:
        return { kind: "func", name, type, linkage: memberCountOf(info) };
      case BtfKind.FUNC_PROTO: {
        const parameters = this.#each(2, (at) => ({
          name: this.#string(at),
          type: this.#word(at + 1),
        }));
        return { kind: "func_proto", returnType: type, parameters };
      }
      case BtfKind.VAR:
        return { kind: "var", name, type, linkage: this.#word(3) };
      case BtfKind.DATASEC:
        return { kind: "datasec", name, size, variables: this.#variables() };
      case BtfKind.FLOAT:
        return { kind: "float", name, size };
      case BtfKind.DECL_TAG: {
        const componentIndex = this.#word(3) | 0;
        return { kind: "decl_tag", name, type, componentIndex, attribute: flag };
      }
      case BtfKind.TYPE_TAG:
        return { kind: "type_tag", name, type, attribute: flag };
      case BtfKind.ENUM64:
        return { kind: "enum64", name, size, signed: flag, values: this.#values64(flag) };
      default:
        throw new BtfError(`BTF kind ${kindOf(info)} is newer than this program`);
    }
  }

  #int(): BtfType & { kind: "int" } {
    const encoding = this.#word(3);
    const flags = encoding >>> 24;
    return {
      kind: "int",
      name: this.#string(0),
      size: this.#word(2),
      bits: encoding & 0xff,
      bitOffset: (encoding >>> 16) & 0xff,
      signed: (flags & INT_SIGNED) !== 0,
      char: (flags & INT_CHAR) !== 0,
      bool: (flags & INT_BOOL) !== 0,
    };
  }

  #members(withBitfields: boolean): BtfMember[] {
    return this.#each(3, (at) => {
      const offset = this.#word(at + 2);
      return {
        name: this.#string(at),
        type: this.#word(at + 1),
        bitOffset: withBitfields ? offset & 0xffffff : offset,
        bitfieldSize: withBitfields ? offset >>> 24 : 0,
      };
    });
  }

  #values(signed: boolean): { name: string; value: number }[] {
    return this.#each(2, (at) => {
      const value = this.#word(at + 1);
      return { name: this.#string(at), value: signed ? value | 0 : value };
    });
  }

  #values64(signed: boolean): { name: string; value: bigint }[] {
    return this.#each(3, (at) => {
      const value = (BigInt(this.#word(at + 2)) << 32n) | BigInt(this.#word(at + 1));
      return { name: this.#string(at), value: signed ? BigInt.asIntN(64, value) : value };
    });
  }

  #variables(): { type: number; offset: number; size: number }[] {
    return this.#each(3, (at) => ({
      type: this.#word(at),
      offset: this.#word(at + 1),
      size: this.#word(at + 2),
    }));
  }

  #each<T>(wordsEach: number, decode: (at: number) => T): T[] {
    const count = memberCountOf(this.#word(1));
    return Array.from({ length: count }, (_, index) => decode(TYPE_WORDS + index * wordsEach));
  }

  #word(index: number): number {
    const word = this.#words[this.#at + index];
    if (word === undefined) throw new BtfError("a BTF type reaches over the end of its section");
    return word;
  }

  #string(index: number): string {
    return this.#strings(this.#word(index));
  }
}
