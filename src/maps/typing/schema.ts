import { type Btf, BtfError, type BtfType, sizeOfBtfType } from "../../kernel/index.js";
import { declarationOf } from "./c-declaration.js";
import type { MapTypes } from "./map-types.js";

/** What a type is; the contract's `SchemaKind`. */
export type SchemaKind =
  | "int"
  | "float"
  | "pointer"
  | "array"
  | "struct"
  | "union"
  | "enum"
  | "typedef"
  | "qualifier"
  | "section";

/** One type; the contract's `SchemaType`, whose fields say more. */
export interface SchemaType {
  readonly id: number;
  readonly kind: SchemaKind | undefined;
  readonly name: string;
  readonly size: number;
  readonly signed?: boolean;
  readonly isBool?: boolean;
  readonly isChar?: boolean;
  readonly bits?: number;
  readonly targetTypeId?: number;
  readonly length?: number;
  readonly members?: readonly SchemaMember[];
  readonly enumerators?: readonly { readonly name: string; readonly value: bigint }[];
}

export interface SchemaMember {
  readonly name: string;
  readonly typeId: number;
  readonly bitOffset: number;
  readonly bitfieldSize: number;
}

/** The types of a map's keys and values; the contract's `MapSchema`. */
export interface MapSchema {
  readonly types: readonly SchemaType[];
  readonly keyTypeId: number;
  readonly valueTypeId: number;
  readonly source: string;
  readonly keyDeclaration: string;
  readonly valueDeclaration: string;
}

/** Tells the types of a map. What pointers point to is told by its name only. */
export function schemaOf({ btf, keyTypeId, valueTypeId, source }: MapTypes): MapSchema {
  const types = new Map<number, SchemaType>();
  for (const id of [keyTypeId, valueTypeId]) if (id > 0) collect(btf, id, types);
  return {
    types: [...types.values()].sort((a, b) => a.id - b.id),
    keyTypeId,
    valueTypeId,
    source,
    keyDeclaration: keyTypeId > 0 ? declarationOf(btf, keyTypeId, "key") : "",
    valueDeclaration: valueTypeId > 0 ? declarationOf(btf, valueTypeId, "value") : "",
  };
}

/** Adds a type and those that its data is made of. */
function collect(btf: Btf, first: number, types: Map<number, SchemaType>): void {
  const left = [first];
  for (let id = left.pop(); id !== undefined; id = left.pop()) {
    if (id === 0 || types.has(id)) continue;
    const type = btf.type(id);
    const told = schemaType(btf, id, type);
    types.set(id, told);
    if (type.kind === "ptr") addPointee(btf, type.type, types);
    else if (told.targetTypeId) left.push(told.targetTypeId);
    for (const { typeId } of told.members ?? []) left.push(typeId);
  }
}

/** Where a pointer leads is no data of the map, and may be half of the kernel. */
function addPointee(btf: Btf, id: number, types: Map<number, SchemaType>): void {
  if (id === 0 || types.has(id)) return;
  const type = btf.type(id);
  const name = "name" in type ? type.name : "";
  const { kind, size, targetTypeId } = schemaType(btf, id, type);
  const target = targetTypeId === undefined ? {} : { targetTypeId };
  if (kind !== "struct" && kind !== "union") types.set(id, { id, kind, name, size, ...target });
  if (targetTypeId) addPointee(btf, targetTypeId, types);
}

function schemaType(btf: Btf, id: number, type: BtfType): SchemaType {
  const base = { id, size: sizeIn(btf, id), name: "name" in type ? type.name : "" };
  switch (type.kind) {
    case "int": {
      const { signed, bits, bool: isBool, char } = type;
      const isChar = char || (type.size === 1 && type.name === "char");
      return { ...base, kind: "int", signed, isBool, isChar, bits };
    }
    case "float":
      return { ...base, kind: "float" };
    case "ptr":
      return { ...base, kind: "pointer", targetTypeId: type.type };
    case "array":
      return { ...base, kind: "array", targetTypeId: type.type, length: type.length };
    case "struct":
    case "union":
      return { ...base, kind: type.kind, members: type.members.map(memberOf) };
    case "enum":
    case "enum64":
      return { ...base, kind: "enum", signed: type.signed, enumerators: enumeratorsOf(type) };
    case "typedef":
      return { ...base, kind: "typedef", targetTypeId: type.type };
    case "const":
    case "volatile":
    case "restrict":
    case "type_tag":
      return { ...base, kind: "qualifier", targetTypeId: type.type };
    case "datasec":
      return { ...base, kind: "section", members: variablesOf(btf, type) };
    default:
      return { ...base, kind: undefined };
  }
}

function memberOf(member: (BtfType & { kind: "struct" })["members"][number]): SchemaMember {
  const { name, type, bitOffset, bitfieldSize } = member;
  return { name, typeId: type, bitOffset, bitfieldSize };
}

/** Of a 64-bit enumeration the largest values wrap: the 64 bits count. */
function enumeratorsOf(type: BtfType & { kind: "enum" | "enum64" }) {
  return type.values.map(({ name, value }) => ({ name, value: BigInt.asIntN(64, BigInt(value)) }));
}

function variablesOf(btf: Btf, type: BtfType & { kind: "datasec" }): SchemaMember[] {
  return type.variables.flatMap(({ type: id, offset }) => {
    const variable = btf.type(id);
    if (variable.kind !== "var") return [];
    const { name, type: typeId } = variable;
    return [{ name, typeId, bitOffset: offset * 8, bitfieldSize: 0 }];
  });
}

function sizeIn(btf: Btf, id: number): number {
  try {
    return sizeOfBtfType(btf, id);
  } catch (error) {
    if (error instanceof BtfError) return 0;
    throw error;
  }
}
