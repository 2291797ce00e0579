import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  Btf,
  BtfBuilder,
  type BtfTypeInit,
  type BtfWrittenType,
  btfBytes,
  btfInfo,
  btfLoad,
  btfNextId,
  closeFd,
  kernelBtfId,
  mapCreate,
  mapInfo,
  readBtfById,
  sizeOfBtfType,
} from "#dist/kernel/index.js";
import { bpftoolBtf, inBpftoolWords } from "./support/bpftool-btf.js";

/** One type of every kind, such as the kernel takes. */
function everyKind(): { builder: BtfBuilder; types: BtfTypeInit[] } {
  const types: BtfTypeInit[] = [
    { kind: "int", name: "int", size: 4, signed: true },
    { kind: "int", name: "unsigned char", size: 1, char: true },
    { kind: "ptr", type: 1 },
    { kind: "array", type: 2, indexType: 1, length: 16 },
    {
      kind: "struct",
      name: "flow",
      size: 32,
      members: [
        { name: "bytes", type: 4, bitOffset: 0 },
        { name: "low", type: 1, bitOffset: 128, bitfieldSize: 3 },
        { name: "high", type: 1, bitOffset: 131, bitfieldSize: 29 },
        { name: "next", type: 3, bitOffset: 192 },
      ],
    },
    { kind: "union", name: "", size: 4, members: [{ name: "a", type: 1, bitOffset: 0 }] },
    {
      kind: "enum",
      name: "state",
      size: 4,
      signed: true,
      values: [{ name: "BELOW", value: -1 }],
    },
    { kind: "fwd", name: "elsewhere", union: true },
    { kind: "typedef", name: "flow_t", type: 5 },
    { kind: "volatile", type: 1 },
    { kind: "const", type: 10 },
    { kind: "restrict", type: 3 },
    { kind: "func_proto", returnType: 1, parameters: [{ name: "ctx", type: 3 }] },
    { kind: "func", name: "on_packet", type: 13, linkage: 1 },
    { kind: "var", name: "counter", type: 1, linkage: 1 },
    { kind: "datasec", name: ".bss", size: 4, variables: [{ type: 15, offset: 0, size: 4 }] },
    { kind: "float", name: "double", size: 8 },
    { kind: "decl_tag", name: "hot", type: 5, componentIndex: 1, attribute: false },
    { kind: "type_tag", name: "user", type: 1, attribute: false },
    {
      kind: "enum64",
      name: "wide",
      size: 8,
      signed: false,
      values: [{ name: "TOP", value: 1n << 63n }],
    },
  ];
  const builder = new BtfBuilder();
  for (const [index, type] of types.entries()) expect(builder.add(type)).toBe(index + 1);
  return { builder, types };
}

describe("a BTF object made of every kind", () => {
  it("is loaded by the kernel and read back the same, by us and by bpftool", () => {
    const { builder, types } = everyKind();
    const blob = builder.build();
    const fd = btfLoad(blob);
    onTestFinished(() => closeFd(fd));
    const info = btfInfo(fd);
    expect(info).toMatchObject({ name: "", kernel: false, size: blob.length });
    expect(Buffer.from(btfBytes(fd))).toEqual(Buffer.from(blob));

    const btf = readBtfById(info.id, () => undefined);
    expect(btf.endId).toBe(types.length + 1);
    const ours = types.map((_, index) => inBpftoolWords(index + 1, btf.type(index + 1)));
    expect(ours).toEqual(bpftoolBtf(["id", String(info.id)]));
    for (const [index, type] of types.entries()) {
      expect(btf.type(index + 1)).toMatchObject(type as object);
    }
  });

  it("gives a map its types", () => {
    const btf = new BtfBuilder();
    const u32 = btf.add({ kind: "int", name: "unsigned int", size: 4 });
    const pair = btf.add({
      kind: "struct",
      name: "pair",
      size: 8,
      members: [
        { name: "a", type: u32, bitOffset: 0 },
        { name: "b", type: u32, bitOffset: 32 },
      ],
    });
    const btfFd = btfLoad(btf.build());
    const types = { btfFd, btfKeyTypeId: u32, btfValueTypeId: pair };
    const fd = mapCreate({ type: 1, keySize: 4, valueSize: 8, maxEntries: 1, ...types });
    closeFd(btfFd);
    onTestFinished(() => closeFd(fd));
    const info = mapInfo(fd);
    const read = readBtfById(info.btfId, () => undefined);
    expect(read.type(info.btfValueTypeId)).toMatchObject({ kind: "struct", name: "pair" });
    expect(sizeOfBtfType(read, info.btfValueTypeId)).toBe(8);
  });

  it("is listed by id among all BTF objects", () => {
    const fd = btfLoad(everyKind().builder.build());
    onTestFinished(() => closeFd(fd));
    const ids: number[] = [];
    for (let id = btfNextId(0); id !== undefined; id = btfNextId(id)) ids.push(id);
    expect(ids).toContain(btfInfo(fd).id);
    expect(ids).toContain(kernelBtfId("vmlinux"));
  });

  it("is refused by the kernel where a type names one that is not there", () => {
    const builder = new BtfBuilder();
    builder.add({ kind: "ptr", type: 9 });
    expect(() => btfLoad(builder.build())).toThrow("BPF_BTF_LOAD: EINVAL");
  });
});

describe("split BTF", () => {
  it("goes on with the ids and names of its base, as bpftool reads it", () => {
    const directory = mkdtempSync(join(tmpdir(), "bpfmapd-btf-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const { builder } = everyKind();
    const base = Btf.parse(builder.build());
    const more = new BtfBuilder(base);
    const id = more.add({ kind: "typedef", name: "flow_in_module", type: 5 });
    more.add({ kind: "typedef", name: "flow_t", type: id });
    const split = Btf.parse(more.build(), base);

    expect(id).toBe(base.endId);
    expect(split.endId).toBe(base.endId + 2);
    expect(split.type(5)).toEqual(base.type(5));
    expect(split.find("flow_t")).toEqual([9, id + 1]);
    expect(split.find("flow")).toEqual([5]);
    expect(sizeOfBtfType(split, id + 1)).toBe(32);

    writeFileSync(join(directory, "base"), builder.build());
    writeFileSync(join(directory, "split"), more.build());
    const theirs = bpftoolBtf(["file", join(directory, "split")], join(directory, "base"));
    expect(theirs).toEqual([id, id + 1].map((own) => inBpftoolWords(own, split.type(own))));
  });

  it("finds a name that only the base's strings hold", () => {
    const first = new BtfBuilder();
    first.add({ kind: "int", name: "shared_name", size: 4 });
    const base = Btf.parse(first.build());
    const words = new BtfBuilder(base);
    words.add({ kind: "typedef", name: "x", type: 1 });
    const blob = Buffer.from(words.build());
    // Names the string of the base instead, as a linker does that removes duplicates.
    blob.writeUInt32LE(1, 24);
    const split = Btf.parse(blob, base);
    expect(split.find("shared_name", "typedef")).toEqual([2]);
  });
});

const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,20}$/);
const anyType: fc.Arbitrary<BtfWrittenType> = fc.oneof(
  fc.record({
    kind: fc.constant("int" as const),
    name,
    size: fc.constantFrom(1, 2, 4, 8, 16),
    bits: fc.nat(128),
    bitOffset: fc.nat(255),
    signed: fc.boolean(),
    char: fc.boolean(),
    bool: fc.boolean(),
  }),
  fc.record({
    kind: fc.constantFrom("struct" as const, "union" as const),
    name: fc.oneof(name, fc.constant("")),
    size: fc.nat(0xffffffff),
    members: fc.array(
      fc.record({
        name,
        type: fc.nat(0xffffffff),
        bitOffset: fc.nat(0xffffff),
        bitfieldSize: fc.nat(255),
      }),
    ),
  }),
  fc.record({
    kind: fc.constant("enum" as const),
    name,
    size: fc.constant(4),
    signed: fc.constant(true),
    values: fc.array(fc.record({ name, value: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) })),
  }),
  fc.record({
    kind: fc.constant("enum64" as const),
    name,
    size: fc.constant(8),
    signed: fc.constant(false),
    values: fc.array(fc.record({ name, value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) })),
  }),
  fc.record({
    kind: fc.constant("func_proto" as const),
    returnType: fc.nat(0xffffffff),
    parameters: fc.array(fc.record({ name, type: fc.nat(0xffffffff) })),
  }),
);

it("reads back what it wrote, for any types", () => {
  fc.assert(
    fc.property(fc.array(anyType, { maxLength: 30 }), (types) => {
      const builder = new BtfBuilder();
      for (const type of types) builder.add(type);
      const btf = Btf.parse(builder.build());
      expect(types.map((_, index) => btf.type(index + 1))).toEqual(types);
    }),
  );
});
