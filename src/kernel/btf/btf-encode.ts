import { BtfError } from "./btf-error.js";
import { BtfKind } from "./btf-kind.js";
import type { BtfInt, BtfMember, BtfWrittenType } from "./btf-type.js";

/** Offset of a string in the string section, where it is put if it is new. */
type Intern = (string: string) => number;

const MOST_MEMBERS = 0xffff;
const LARGEST_BITFIELD_OFFSET = 0xffffff;

/** Encodes a type as the words that stand in the type section. Throws BtfError. */
export function encodeBtfType(type: BtfWrittenType, intern: Intern): number[] {
  switch (type.kind) {
    case "int":
      return [...header("INT", intern(type.name), 0, type.size), intEncoding(type)];
    case "ptr":
    case "volatile":
    case "const":
    case "restrict":
      return header(UNNAMED[type.kind], 0, 0, type.type);
    case "array":
      return [...header("ARRAY", 0, 0, 0), type.type, type.indexType, type.length];
    case "struct":
    case "union": {
      const bitfields = type.members.some((member) => member.bitfieldSize > 0);
      const kind = type.kind === "struct" ? "STRUCT" : "UNION";
      return [
        ...header(kind, intern(type.name), type.members.length, type.size, bitfields),
        ...type.members.flatMap((member) => [
          intern(member.name),
          member.type,
          memberOffset(member, bitfields),
        ]),
      ];
    }
    case "enum":
      return [
        ...header("ENUM", intern(type.name), type.values.length, type.size, type.signed),
        ...type.values.flatMap(({ name, value }) => [intern(name), value >>> 0]),
      ];
    case "enum64":
      return [
        ...header("ENUM64", intern(type.name), type.values.length, type.size, type.signed),
        ...type.values.flatMap(({ name, value }) => {
          const word = BigInt.asUintN(64, value);
          return [intern(name), Number(word & 0xffffffffn), Number(word >> 32n)];
        }),
      ];
    case "fwd":
      return header("FWD", intern(type.name), 0, 0, type.union);
    case "typedef":
      return header("TYPEDEF", intern(type.name), 0, type.type);
    case "type_tag":
      return header("TYPE_TAG", intern(type.name), 0, type.type, type.attribute);
    case "func":
      return header("FUNC", intern(type.name), type.linkage, type.type);
    case "func_proto":
      return [
        ...header("FUNC_PROTO", 0, type.parameters.length, type.returnType),
        ...type.parameters.flatMap((parameter) => [intern(parameter.name), parameter.type]),
      ];
    case "var":
      return [...header("VAR", intern(type.name), 0, type.type), type.linkage];
    case "datasec":
      return [
        ...header("DATASEC", intern(type.name), type.variables.length, type.size),
        ...type.variables.flatMap((variable) => [variable.type, variable.offset, variable.size]),
      ];
    case "float":
      return header("FLOAT", intern(type.name), 0, type.size);
    case "decl_tag":
      return [
        ...header("DECL_TAG", intern(type.name), 0, type.type, type.attribute),
        type.componentIndex >>> 0,
      ];
  }
}

const UNNAMED = {
  ptr: "PTR",
  volatile: "VOLATILE",
  const: "CONST",
  restrict: "RESTRICT",
} as const;

function header(
  kind: keyof typeof BtfKind,
  name: number,
  count: number,
  sizeOrType: number,
  flag = false,
): number[] {
  if (count > MOST_MEMBERS) throw new BtfError(`a BTF type has at most ${MOST_MEMBERS} members`);
  const info = ((flag ? 1 : 0) << 31) | (BtfKind[kind] << 24) | count;
  return [name, info >>> 0, sizeOrType];
}

function intEncoding(type: BtfInt): number {
  const flags = (type.signed ? 1 : 0) | (type.char ? 2 : 0) | (type.bool ? 4 : 0);
  return (flags << 24) | (type.bitOffset << 16) | type.bits;
}

function memberOffset(member: BtfMember, withBitfields: boolean): number {
  if (!withBitfields) return member.bitOffset;
  if (member.bitOffset > LARGEST_BITFIELD_OFFSET) {
    throw new BtfError(`member ${member.name} lies too far in for a struct with bitfields`);
  }
  return ((member.bitfieldSize << 24) | member.bitOffset) >>> 0;
}
