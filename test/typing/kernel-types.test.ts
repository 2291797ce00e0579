import { randomBytes } from "node:crypto";
import type { BpfmapClient } from "@bpfmapd/client";
import { Format, MapType, SchemaKind } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, test } from "vitest";
import { type Btf, readKernelBtf } from "#dist/kernel/index.js";
import { shapeOfBtfType } from "#dist/maps/typing/shape-builder.js";
import { sizeOfShape } from "#dist/maps/typing/type-shape.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { compiledObject, loadedMaps } from "./support/bpf-object.js";
import { decode, encode } from "./support/codec.js";
import { hasOtherSpellings } from "./support/other-spellings.js";

const kernel = readKernelBtf();

describe.skipIf(!kernel)("the kernel's own structs", () => {
  test("keep all they say, decoded and encoded again", () => {
    const btf = kernel as Btf;
    let compared = 0;
    for (let id = 1; id < btf.endId; id++) {
      const kind = btf.kind(id);
      if ((kind !== "struct" && kind !== "union") || id % 7 !== 0) continue;
      const shape = shapeOfBtfType(btf, id);
      const size = sizeOfShape(shape);
      if (size > 2048) continue;
      const bytes = randomBytes(size);
      if (hasOtherSpellings(shape, bytes)) bytes.fill(0);
      const text = decode(shape, bytes);
      expect(decode(shape, encode(shape, text)), String(id)).toBe(text);
      compared++;
    }
    expect(compared).toBeGreaterThan(100);
  });
});

describe("types from elsewhere", () => {
  let daemon: TestDaemon;
  let client: BpfmapClient;

  beforeAll(async () => {
    daemon = await startDaemon();
    client = daemon.client;
    return () => daemon.dispose();
  });

  async function plainMap(name: string, keySize: number, valueSize: number) {
    const spec = { type: MapType.HASH, keySize, valueSize, maxEntries: 8 };
    const { map } = await client.maps.createMap({ spec, hold: { name } });
    return client.map({ id: map?.id ?? 0 });
  }

  test.skipIf(!kernel)("of the kernel, by name, for a map that has none", async () => {
    const map = await plainMap("kernel-types", 4, 20);
    const key = Buffer.from([10, 0, 0, 1]);
    const header = Buffer.from("45000054abcd40004001f6f20a0000010a000002", "hex");
    await map.update(key, header);
    const typing = {
      source: { case: "kernel" as const, value: "vmlinux" },
      keyType: "__be32",
      valueType: "struct iphdr",
    };
    const request = { map: map.ref, count: 1, keys: key, format: Format.JSON, typing };
    const { elements } = await client.maps.lookupElements(request);
    expect(JSON.parse(elements?.jsonValues[0] ?? "")).toMatchObject({
      ihl: 5,
      version: 4,
      ttl: 64,
      protocol: 1,
      saddr: 0x0100000a,
    });
    const { schema } = await client.maps.getMapSchema({ map: map.ref, typing });
    expect(schema?.source).toBe("vmlinux");
    expect(schema?.keyDeclaration).toBe("__be32 key;\n");
    expect(schema?.valueDeclaration).toContain(
      "struct iphdr {\n\t__u8 ihl : 4;\n\t__u8 version : 4;",
    );
  });

  test("of any BTF by its id, and of the map's own BTF by another name", async () => {
    const pins = loadedMaps(compiledObject("kinds", daemon.directory), daemon.bpffs);
    const counters = client.map({ pinPath: pins.find((pin) => pin.endsWith("counters")) ?? "" });
    const { btfId } = await counters.get();
    const map = await plainMap("btf-by-id", 38, 4);
    await map.update(Buffer.alloc(38, 1), Buffer.from([3, 0, 0, 0]));
    const typing = {
      source: { case: "btfId" as const, value: btfId },
      keyType: "tuple",
      valueType: "enum verdict",
    };
    const request = { map: map.ref, format: Format.JSON, typing };
    for await (const { kind } of client.maps.dumpMap(request)) {
      if (kind.case !== "elements") continue;
      expect(kind.value.jsonValues).toEqual(['"VERDICT_DROP"']);
      expect(JSON.parse(kind.value.jsonKeys[0] ?? "")).toMatchObject({ dport: 257, flags: 1 });
    }

    const hits = client.map({ pinPath: pins.find((pin) => pin.endsWith("hits")) ?? "" });
    const own = { map: hits.ref, count: 1, jsonKeys: ["0"], format: Format.JSON };
    const { elements } = await client.maps.lookupElements({
      ...own,
      typing: { valueType: "__s64" },
    });
    expect(JSON.parse(elements?.jsonValues[0] ?? "")[0]).toBe("0");
  });

  test("are told as a schema, with what each is", async () => {
    const pins = loadedMaps(compiledObject("kinds", daemon.directory), `${daemon.bpffs}/schema`);
    const map = client.map({ pinPath: pins.find((pin) => pin.endsWith("events")) ?? "" });
    const { schema } = await client.maps.getMapSchema({ map: map.ref });
    expect(schema?.source).toBe("map");
    const types = new Map(schema?.types.map((type) => [type.id, type]));
    const value = types.get(schema?.valueTypeId ?? 0);
    expect(value).toMatchObject({ kind: SchemaKind.STRUCT, name: "event", size: 160 });
    const member = (name: string) => {
      const found = value?.members.find((candidate) => candidate.name === name);
      return { ...found, type: types.get(found?.typeId ?? 0) };
    };
    expect(member("comm")).toMatchObject({
      bitOffset: 32,
      type: { kind: SchemaKind.ARRAY, length: 16, size: 16 },
    });
    expect(types.get(member("comm").type?.targetTypeId ?? 0)).toMatchObject({
      kind: SchemaKind.INT,
      name: "char",
      isChar: true,
      bits: 8,
    });
    expect(member("task").type).toMatchObject({ kind: SchemaKind.POINTER, size: 8 });
    expect(member("limit").type?.kind).toBe(SchemaKind.QUALIFIER);
    expect([...types.keys()]).toEqual([...types.keys()].sort((a, b) => a - b));
    expect(schema?.valueDeclaration).toContain("\tint (*callback)(...);\n");
    expect(schema?.valueDeclaration).toContain("\t__u32 slots[3][2];\n");
    expect(schema?.keyDeclaration).toBe("char key[8];\n");

    const section = client.map({ pinPath: pins.find((pin) => pin.endsWith("_rodata")) ?? "" });
    const answer = await client.maps.getMapSchema({ map: section.ref });
    const type = answer.schema?.types.find(({ id }) => id === answer.schema?.valueTypeId);
    expect(type).toMatchObject({ kind: SchemaKind.SECTION, name: ".rodata" });
    expect(type?.members.map(({ name }) => name)).toEqual(["sampling", "device", "verbose"]);
  });
});
