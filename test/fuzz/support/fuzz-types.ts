import { BtfBuilder } from "#dist/kernel/index.js";

/** BTF for keys of 4 bytes and values of 8 that have members of several kinds. */
export function fuzzTypes(): {
  readonly btf: Uint8Array;
  readonly btfKeyTypeId: number;
  readonly btfValueTypeId: number;
} {
  const builder = new BtfBuilder();
  const word = builder.add({ kind: "int", name: "__u32", size: 4 });
  const byte = builder.add({ kind: "int", name: "__s8", size: 1, signed: true });
  const letter = builder.add({ kind: "int", name: "char", size: 1, char: true });
  const float = builder.add({ kind: "float", name: "float", size: 4 });
  const text = builder.add({ kind: "array", type: letter, indexType: word, length: 2 });
  const state = builder.add({
    kind: "enum",
    name: "state",
    size: 1,
    signed: false,
    values: [
      { name: "IDLE", value: 0 },
      { name: "BUSY", value: 1 },
    ],
  });
  const value = builder.add({
    kind: "struct",
    name: "fuzzed",
    size: 8,
    members: [
      { name: "ratio", type: float, bitOffset: 0 },
      { name: "delta", type: byte, bitOffset: 32 },
      { name: "state", type: state, bitOffset: 40 },
      { name: "text", type: text, bitOffset: 48 },
    ],
  });
  return { btf: builder.build(), btfKeyTypeId: word, btfValueTypeId: value };
}

/** JSON of such keys and values, good and bad. */
export const KEY_TEXTS = ["0", "1", "7", '"3"', '"0x2"', "-1", "4294967296", "1e3", "[]", ""];
export const VALUE_TEXTS = [
  '{"ratio":1.5,"delta":-3,"state":"BUSY","text":"ab"}',
  '{"ratio":"NaN"}',
  '{"ratio":"-Infinity","text":[1,2]}',
  '{"ratio":1e400}',
  '{"delta":128}',
  '{"state":"GONE"}',
  '{"state":255}',
  '{"text":"abc"}',
  '{"text":"\\ud800"}',
  '{"ratio":1,"ratio":2}',
  '{"__proto__":1,"constructor":2}',
  "{}",
  "[1,2,3,4,5,6,7,8]",
  "[0,0,0,0,0,0,0,256]",
  "null",
  "{",
  `${"[".repeat(5000)}`,
  `${'{"ratio":'.repeat(2000)}1${"}".repeat(2000)}`,
  "1".repeat(4000),
];
