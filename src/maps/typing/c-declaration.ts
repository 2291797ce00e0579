import type { Btf, BtfType } from "../../kernel/index.js";

/** Typedefs, pointers and qualifiers around a type; what is deeper is no C that people write. */
const MAX_DEPTH = 64;

const INDENT = "\t";

/**
 * A type as the C declaration of a variable, with the structs, unions and enumerations
 * that its data has written out. For people: it need not compile.
 */
export function declarationOf(btf: Btf, id: number, name: string): string {
  return `${new Declarer(btf).declare(id, name, 0, true)};\n`;
}

class Declarer {
  readonly #btf: Btf;
  /** Types that are written out already; again they are only named. */
  readonly #told = new Set<number>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** @param inFull whether the data has the type, so that its members are of interest */
  declare(id: number, declarator: string, depth: number, inFull: boolean): string {
    if (depth > MAX_DEPTH) return `... ${declarator}`;
    const type = this.#btf.type(id);
    const next = depth + 1;
    switch (type.kind) {
      case "ptr":
        return this.declare(type.type, this.#pointer(type.type, declarator), next, false);
      case "array":
        return this.declare(type.type, `${declarator}[${type.length || ""}]`, next, inFull);
      case "const":
      case "volatile":
      case "restrict": {
        const inner = this.#btf.kind(type.type);
        if (inner === "ptr")
          return this.declare(type.type, `${type.kind} ${declarator}`, next, inFull);
        return `${type.kind} ${this.declare(type.type, declarator, next, inFull)}`;
      }
      case "type_tag":
        return this.declare(type.type, declarator, next, inFull);
      case "var":
        return this.declare(type.type, declarator, next, inFull);
      case "func_proto":
        return this.declare(type.returnType, `${declarator}(...)`, next, false);
      default:
        return joined(this.#specifier(id, type, depth, inFull), declarator);
    }
  }

  /** A pointer's declarator, in brackets where the type's own part follows it. */
  #pointer(target: number, declarator: string): string {
    const kind = this.#btf.kind(target);
    return kind === "func_proto" || kind === "array" ? `(*${declarator})` : `*${declarator}`;
  }

  #specifier(id: number, type: BtfType, depth: number, inFull: boolean): string {
    switch (type.kind) {
      case "void":
        return "void";
      case "struct":
      case "union":
        return this.#composite(id, type, depth, inFull);
      case "enum":
      case "enum64":
        return this.#enumeration(id, type, depth, inFull);
      case "fwd":
        return `${type.union ? "union" : "struct"} ${type.name}`;
      case "datasec":
        return this.#section(type, depth);
      case "typedef":
        return this.#typedef(id, type, depth, inFull);
      default:
        return "name" in type ? type.name : type.kind;
    }
  }

  /** A typedef's name, and the members that it has where it stands for a struct. */
  #typedef(
    id: number,
    type: BtfType & { kind: "typedef" },
    depth: number,
    inFull: boolean,
  ): string {
    const target = this.#btf.type(type.type);
    const hasMembers = target.kind === "struct" || target.kind === "union";
    if (!inFull || !hasMembers || target.name !== "" || this.#told.has(id)) return type.name;
    this.#told.add(id);
    return `${type.name} /* ${target.kind} */ ${this.#members(target, depth)}`;
  }

  #composite(
    id: number,
    type: BtfType & { kind: "struct" | "union" },
    depth: number,
    inFull: boolean,
  ): string {
    const head = type.name === "" ? type.kind : `${type.kind} ${type.name}`;
    if (type.name !== "" && (!inFull || this.#told.has(id))) return head;
    this.#told.add(id);
    return `${head} ${this.#members(type, depth)}`;
  }

  #members(type: BtfType & { kind: "struct" | "union" }, depth: number): string {
    const indent = INDENT.repeat(depth + 1);
    const lines = type.members.map((member) => {
      const bits = member.bitfieldSize > 0 ? ` : ${member.bitfieldSize}` : "";
      return `${indent}${this.#member(member.type, member.name, depth)}${bits};\n`;
    });
    return `{\n${lines.join("")}${INDENT.repeat(depth)}}`;
  }

  /** Indentation counts structs only, not what stands between them. */
  #member(type: number, name: string, depth: number): string {
    return this.declare(type, name, depth + 1, true);
  }

  #section(type: BtfType & { kind: "datasec" }, depth: number): string {
    const indent = INDENT.repeat(depth + 1);
    const lines = type.variables.map(({ type: id }) => {
      const variable = this.#btf.type(id);
      const name = variable.kind === "var" ? variable.name : "";
      return `${indent}${this.#member(id, name, depth)};\n`;
    });
    return `/* section ${type.name} */ struct {\n${lines.join("")}${INDENT.repeat(depth)}}`;
  }

  #enumeration(
    id: number,
    type: BtfType & { kind: "enum" | "enum64" },
    depth: number,
    inFull: boolean,
  ): string {
    const head = type.name === "" ? "enum" : `enum ${type.name}`;
    if (type.name !== "" && (!inFull || this.#told.has(id))) return head;
    this.#told.add(id);
    const indent = INDENT.repeat(depth + 1);
    const lines = type.values.map(({ name, value }) => `${indent}${name} = ${value},\n`);
    return `${head} {\n${lines.join("")}${INDENT.repeat(depth)}}`;
  }
}

function joined(specifier: string, declarator: string): string {
  return declarator === "" ? specifier : `${specifier} ${declarator}`;
}
