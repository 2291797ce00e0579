import { type Btf, BtfError, type BtfKindName, sizeOfBtfType } from "../../kernel/index.js";

/** Kinds that data can have, those first that a name without a word before it means first. */
const DATA_KINDS: readonly BtfKindName[] = [
  "typedef",
  "struct",
  "union",
  "enum",
  "enum64",
  "int",
  "float",
  "datasec",
];

const KINDS_BY_WORD: Readonly<Record<string, readonly BtfKindName[]>> = {
  struct: ["struct"],
  union: ["union"],
  enum: ["enum", "enum64"],
};

/**
 * Finds a type by the name that C has for it: "struct flow_key", "flow_key", "__u32",
 * "unsigned int". Where several have the name, one of the wanted size is preferred. Its
 * id; undefined where there is none.
 */
export function findNamedType(btf: Btf, name: string, wantedSize: number): number | undefined {
  const words = name.trim().split(/\s+/);
  const [first, ...rest] = words;
  const kinds = rest.length > 0 ? KINDS_BY_WORD[first as string] : undefined;
  const plain = kinds ? rest.join(" ") : words.join(" ");
  const ids = (kinds ?? DATA_KINDS).flatMap((kind) => btf.find(plain, kind));
  return ids.find((id) => sizeOf(btf, id) === wantedSize) ?? ids[0];
}

/** Bytes that a value takes; undefined for what is no data. */
export function sizeOf(btf: Btf, id: number): number | undefined {
  try {
    return sizeOfBtfType(btf, id);
  } catch (error) {
    if (error instanceof BtfError) return undefined;
    throw error;
  }
}
