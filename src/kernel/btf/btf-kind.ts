/** Kinds of BTF types: include/uapi/linux/btf.h. */
export const BtfKind = {
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const;

/** Words of 32 bits that every type starts with: name, info, size or type. */
export const TYPE_WORDS = 3;

/** Words that follow a type of each kind: some for the type, some for each member. */
const TAILS: Readonly<Record<number, readonly [own: number, each: number]>> = {
  [BtfKind.INT]: [1, 0],
  [BtfKind.PTR]: [0, 0],
  [BtfKind.ARRAY]: [3, 0],
  [BtfKind.STRUCT]: [0, 3],
  [BtfKind.UNION]: [0, 3],
  [BtfKind.ENUM]: [0, 2],
  [BtfKind.FWD]: [0, 0],
  [BtfKind.TYPEDEF]: [0, 0],
  [BtfKind.VOLATILE]: [0, 0],
  [BtfKind.CONST]: [0, 0],
  [BtfKind.RESTRICT]: [0, 0],
  [BtfKind.FUNC]: [0, 0],
  [BtfKind.FUNC_PROTO]: [0, 2],
  [BtfKind.VAR]: [1, 0],
  [BtfKind.DATASEC]: [0, 3],
  [BtfKind.FLOAT]: [0, 0],
  [BtfKind.DECL_TAG]: [1, 0],
  [BtfKind.TYPE_TAG]: [0, 0],
  [BtfKind.ENUM64]: [0, 3],
};

const OWN = new Uint8Array(32).fill(0xff);
const EACH = new Uint8Array(32);
for (const [kind, [own, each]] of Object.entries(TAILS)) {
  OWN[Number(kind)] = own;
  EACH[Number(kind)] = each;
}

/** The kind in a type's `info` word. */
export function kindOf(info: number): number {
  return (info >>> 24) & 0x1f;
}

/** How many members a type has, by its `info` word. */
export function memberCountOf(info: number): number {
  return info & 0xffff;
}

/** Words of a whole type by its `info` word; -1 for a kind that nobody has named yet. */
export function wordsOfType(info: number): number {
  const kind = kindOf(info);
  const own = OWN[kind] as number;
  return own === 0xff ? -1 : TYPE_WORDS + own + (EACH[kind] as number) * memberCountOf(info);
}
