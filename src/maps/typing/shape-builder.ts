import {
  type Btf,
  BtfError,
  type BtfType,
  resolveBtfType,
  sizeOfBtfType,
} from "../../kernel/index.js";
import type {
  ArrayShape,
  BitsShape,
  CompositeShape,
  EnumShape,
  FloatShape,
  MemberShape,
  ScalarShape,
  TypeShape,
} from "./type-shape.js";

/** Members of all levels that a shape may have; the kernel's largest struct has some thousands. */
const MAX_MEMBERS = 50_000;

/** Structs inside structs; MAX_RESOLVE_DEPTH of kernel/bpf/btf.c is 32. */
const MAX_DEPTH = 64;

/**
 * The shape of a BTF type. Throws BtfError for what is no data (functions, structs of
 * which only the name is known), and for types of more than 50,000 members.
 */
export function shapeOfBtfType(btf: Btf, id: number): TypeShape {
  return new ShapeBuilder(btf).shape(id, 0);
}

class ShapeBuilder {
  readonly #btf: Btf;
  readonly #known = new Map<number, { shape: TypeShape; members: number }>();
  /** Members of all levels met so far, those of a shape used twice counted twice. */
  #members = 0;

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  shape(id: number, depth: number): TypeShape {
    if (depth > MAX_DEPTH) throw new BtfError(`BTF type ${id} is nested too deeply`);
    const known = this.#known.get(id);
    if (known) {
      this.#count(known.members);
      return known.shape;
    }
    const before = this.#members;
    const shape = this.#build(id, depth);
    this.#known.set(id, { shape, members: this.#members - before });
    return shape;
  }

  #count(members: number): void {
    this.#members += members;
    if (this.#members <= MAX_MEMBERS) return;
    throw new BtfError(`the type has more than ${MAX_MEMBERS} members`);
  }

  #build(id: number, depth: number): TypeShape {
    this.#count(1);
    const type = resolveBtfType(this.#btf, id);
    switch (type.kind) {
      case "array":
        return this.#array(type, depth);
      case "struct":
      case "union":
      case "datasec":
        return this.#composite(id, type, depth);
      case "var":
        return this.shape(type.type, depth + 1);
      default:
        return scalarShape(type, btfTypeName(this.#btf, id));
    }
  }

  #array(type: BtfType & { kind: "array" }, depth: number): ArrayShape {
    const element = this.shape(type.type, depth + 1);
    const stride = sizeOfBtfType(this.#btf, type.type);
    return {
      kind: "array",
      name: btfTypeName(this.#btf, type.type),
      element,
      stride,
      length: type.length,
      isText: isCharacter(this.#btf, type.type),
    };
  }

  #composite(
    id: number,
    type: BtfType & { kind: "struct" | "union" | "datasec" },
    depth: number,
  ): CompositeShape {
    const members: MemberShape[] = [];
    const overlaps = this.#addMembers(type, 0, members, depth);
    return {
      kind: "composite",
      name: btfTypeName(this.#btf, id),
      size: type.size,
      members: withNamesOfTheirOwn(members),
      overlaps,
    };
  }

  /** Adds a composite's members, those of anonymous ones too; answers whether any share bytes. */
  #addMembers(
    type: BtfType & { kind: "struct" | "union" | "datasec" },
    bitOffset: number,
    members: MemberShape[],
    depth: number,
  ): boolean {
    if (depth > MAX_DEPTH) throw new BtfError("a BTF type is nested too deeply");
    let overlaps = type.kind === "union";
    for (const member of membersOf(this.#btf, type)) {
      const at = bitOffset + member.bitOffset;
      const own = resolveBtfType(this.#btf, member.type);
      if (member.name !== "") {
        members.push(this.#member(member, own, at, depth));
      } else if (own.kind === "struct" || own.kind === "union") {
        overlaps = this.#addMembers(own, at, members, depth + 1) || overlaps;
      }
      // Anything else without a name is padding.
    }
    return overlaps;
  }

  #member(member: Member, own: BtfType, bitOffset: number, depth: number): MemberShape {
    const shape = this.shape(member.type, depth + 1);
    // Old compilers said in the type, not in the member, which bits of it count.
    const within = own.kind === "int" ? own.bitOffset : 0;
    const isBitfield =
      member.bitfieldSize > 0 && shape.kind !== "array" && shape.kind !== "composite";
    return {
      name: member.name,
      bitOffset: bitOffset + within,
      shape: isBitfield ? { ...shape, bits: member.bitfieldSize } : shape,
    };
  }
}

interface Member {
  readonly name: string;
  readonly type: number;
  readonly bitOffset: number;
  readonly bitfieldSize: number;
}

function membersOf(
  btf: Btf,
  type: BtfType & { kind: "struct" | "union" | "datasec" },
): readonly Member[] {
  if (type.kind !== "datasec") return type.members;
  return type.variables.map(({ type: id, offset }) => {
    const variable = btf.type(id);
    if (variable.kind !== "var") throw new BtfError(`a data section has a ${variable.kind} in it`);
    return { name: variable.name, type: variable.type, bitOffset: offset * 8, bitfieldSize: 0 };
  });
}

/**
 * Static variables of several functions may have one name; members of a struct may not,
 * but BTF is only data.
 */
function withNamesOfTheirOwn(members: readonly MemberShape[]): MemberShape[] {
  const uses = new Map<string, number>();
  return members.map((member) => {
    const use = (uses.get(member.name) ?? 0) + 1;
    uses.set(member.name, use);
    return use === 1 ? member : { ...member, name: `${member.name}#${use}` };
  });
}

function scalarShape(type: BtfType, name: string): ScalarShape {
  switch (type.kind) {
    case "int":
      return intShape(type, name);
    case "ptr":
      return { kind: "int", name, bits: 64, signed: false };
    case "enum":
    case "enum64":
      return enumShape(type, name);
    case "float":
      return floatShape(type.size, name);
    default:
      throw new BtfError(`${name} is no data that a map can hold (BTF ${type.kind})`);
  }
}

function intShape(
  { bits, signed, char, bool }: BtfType & { kind: "int" },
  name: string,
): ScalarShape {
  if (bool) return { kind: "bool", name, bits };
  if (char && bits === 8) return { kind: "char", name, bits };
  return { kind: "int", name, bits, signed };
}

function enumShape(type: BtfType & { kind: "enum" | "enum64" }, name: string): EnumShape {
  const { size, signed, values } = type;
  return { kind: "enum", name, bits: size * 8, signed, names: values };
}

function floatShape(size: number, name: string): FloatShape | BitsShape {
  const isKnown = size === 2 || size === 4 || size === 8;
  return { kind: isKnown ? "float" : "bits", name, bits: size * 8 };
}

/** Whether a type is a character, as bpftool sees it: `char`, but no typedef of it. */
function isCharacter(btf: Btf, id: number): boolean {
  let type = btf.type(id);
  for (let depth = 0; isQualifier(type) && depth < MAX_DEPTH; depth++) type = btf.type(type.type);
  return type.kind === "int" && type.size === 1 && (type.char || type.name === "char");
}

function isQualifier(
  type: BtfType,
): type is BtfType & { kind: "const" | "volatile" | "restrict" | "type_tag" } {
  return ["const", "volatile", "restrict", "type_tag"].includes(type.kind);
}

/** What people call a type: "struct flow", "__u32", "void *"; "struct" for an anonymous one. */
export function btfTypeName(btf: Btf, id: number): string {
  let type = btf.type(id);
  for (let depth = 0; isQualifier(type) && depth < MAX_DEPTH; depth++) type = btf.type(type.type);
  switch (type.kind) {
    case "struct":
    case "union":
      return type.name === "" ? type.kind : `${type.kind} ${type.name}`;
    case "enum":
    case "enum64":
      return type.name === "" ? "enum" : `enum ${type.name}`;
    case "fwd":
      return `${type.union ? "union" : "struct"} ${type.name}`;
    case "ptr":
      return "pointer";
    case "array":
      return `${btfTypeName(btf, type.type)}[${type.length}]`;
    default:
      return "name" in type ? type.name : type.kind;
  }
}
