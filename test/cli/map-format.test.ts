import { Availability, MapSchema, MapType, MapTypeCapabilitiesSchema } from "@bpfmapd/client/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { featureText, writeFeatures } from "#dist/cli/format/feature.js";
import { cpuList } from "#dist/cli/format/host.js";
import { jsonText, writeJson } from "#dist/cli/format/json-writer.js";
import { writeMap } from "#dist/cli/format/map-json.js";
import { byteText, mapTable } from "#dist/cli/format/map-table.js";
import { mapText } from "#dist/cli/format/map-text.js";
import { makeStyle } from "#dist/cli/format/style.js";
import { mustBpftool, type PrivateBpffs, privateBpffs } from "./support/bpftool.js";

const plain = makeStyle(false);

function bpfMap(init: MessageInitShape<typeof MapSchema>) {
  return create(MapSchema, init);
}

describe("a map looks as bpftool's, to the byte", () => {
  let bpffs: PrivateBpffs;
  beforeAll(() => {
    bpffs = privateBpffs();
    return () => bpffs.dispose();
  });

  it.each([
    ["hash", MapType.HASH, 4, 8, 16, 0],
    ["hash", MapType.HASH, 4, 8, 16, 1],
    ["lpm_trie", MapType.LPM_TRIE, 8, 4, 16, 1],
    ["percpu_array", MapType.PERCPU_ARRAY, 4, 8, 2, 0],
    ["queue", MapType.QUEUE, 0, 8, 2, 0],
    ["prog_array", MapType.PROG_ARRAY, 4, 4, 2, 0],
  ])("%s", (name, type, keySize, valueSize, maxEntries, flags) => {
    const pin = `${bpffs.path}/${name}${flags}`;
    const spec = `type ${name} key ${keySize} value ${valueSize} entries ${maxEntries}`;
    mustBpftool("map", "create", pin, ...`${spec} flags ${flags} name m`.split(" "));
    const show = (...options: string[]) => mustBpftool(...options, "map", "show", "pinned", pin);
    // What no spec says is taken from bpftool itself.
    const known = JSON.parse(show("-j")) as { id: number; bytes_memlock: number };
    const map = bpfMap({
      id: known.id,
      type,
      name: "m",
      keySize,
      valueSize,
      maxEntries,
      flags,
      memlockBytes: BigInt(known.bytes_memlock),
      frozen: false,
    });
    expect(mapText(map)).toBe(show());
    expect(jsonText(false, (json) => writeMap(json, map, false))).toBe(show("-j"));
    expect(jsonText(true, (json) => writeMap(json, map, false))).toBe(show("-p"));
    if (type === MapType.PROG_ARRAY) return;
    mustBpftool("map", "freeze", "pinned", pin);
    expect(mapText({ ...map, frozen: true })).toBe(show());
    expect(jsonText(false, (json) => writeMap(json, { ...map, frozen: true }, false))).toBe(
      show("-j"),
    );
  });
});

describe("what only we know of a map", () => {
  const map = bpfMap({
    id: 7,
    type: MapType.HASH,
    keySize: 4,
    valueSize: 8,
    maxEntries: 16,
    btfId: 3,
    frozen: true,
    pinPaths: ["/sys/fs/bpf/a", "/sys/fs/bpf/b"],
    holders: [{ pid: 12, comm: "agent" }],
    holds: [
      { name: "keep" },
      { name: "soon", lease: { seconds: 90n }, expiresAt: timestampFromMs(1_700_000_000_000) },
    ],
  });

  it("stands after what bpftool prints, in its style", () => {
    expect(mapText(map)).toBe(
      [
        "7: hash  flags 0x0",
        "\tkey 4B  value 8B  max_entries 16",
        "\tpinned /sys/fs/bpf/a",
        "\tpinned /sys/fs/bpf/b",
        "\tbtf_id 3  frozen",
        "\tpids agent(12)",
        "\theld keep",
        "\theld soon (lease 1m30s, until 2023-11-14T22:13:20.000Z)",
        "",
      ].join("\n"),
    );
  });

  it("is in the JSON, with pins only where they were asked for", () => {
    const json = (pins: boolean) =>
      JSON.parse(jsonText(false, (writer) => writeMap(writer, map, pins))) as object;
    expect(json(true)).toEqual({
      id: 7,
      type: "hash",
      flags: 0,
      bytes_key: 4,
      bytes_value: 8,
      max_entries: 16,
      frozen: 1,
      btf_id: 3,
      pinned: ["/sys/fs/bpf/a", "/sys/fs/bpf/b"],
      pids: [{ pid: 12, comm: "agent" }],
      holds: [
        { name: "keep" },
        { name: "soon", lease_ms: 90_000, expires_at: "2023-11-14T22:13:20.000Z" },
      ],
    });
    expect(json(false)).not.toHaveProperty("pinned");
  });

  it("keeps the number of a type that this version does not know", () => {
    const unknown = bpfMap({ id: 1, type: 99 as MapType });
    expect(mapText(unknown)).toContain("1: type 99  flags 0x0");
    const json = jsonText(false, (writer) => writeMap(writer, unknown, false));
    expect((JSON.parse(json) as { type: unknown }).type).toBe(99);
  });

  it("tells what a prog_array belongs to", () => {
    const owned = bpfMap({ id: 1, type: MapType.PROG_ARRAY, ownerProgType: 6, ownerJited: true });
    expect(mapText(owned)).toContain("\n\towner_prog_type xdp  owner jited\n");
  });
});

it("shows maps as a table, without columns in which nothing stands", () => {
  const maps = [
    bpfMap({
      id: 5,
      type: MapType.HASH,
      name: "stats",
      keySize: 4,
      valueSize: 8,
      maxEntries: 1024,
    }),
    bpfMap({ id: 61, type: MapType.QUEUE, valueSize: 8, maxEntries: 2, memlockBytes: 2048n }),
  ];
  expect(mapTable(maps, plain)).toBe(
    [
      "ID  TYPE   NAME   KEY  VALUE   MAX  FLAGS   MEMORY",
      " 5  hash   stats   4B     8B  1024  0x0",
      "61  queue          0B     8B     2  0x0    2.0 KiB",
      "",
    ].join("\n"),
  );
});

it("shows sizes and CPUs as people read them", () => {
  expect([0n, 1023n, 1024n, 5_000_000n].map(byteText)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "4.8 MiB",
  ]);
  expect(cpuList([0, 1, 2, 5, 7, 8])).toBe("0-2,5,7-8");
});

describe("feature probe", () => {
  const types = [
    create(MapTypeCapabilitiesSchema, { name: "hash", availability: Availability.AVAILABLE }),
    create(MapTypeCapabilitiesSchema, { name: "arena", availability: Availability.UNAVAILABLE }),
    create(MapTypeCapabilitiesSchema, { name: "devmap", availability: Availability.DENIED }),
  ];

  it("reads as bpftool's", () => {
    expect(featureText(types, plain).split("\n")).toEqual([
      "Scanning eBPF map types...",
      "eBPF map_type hash is available",
      "eBPF map_type arena is NOT available",
      "eBPF map_type devmap is not known: the daemon may not probe it",
      "",
    ]);
    expect(JSON.parse(jsonText(true, (json) => writeFeatures(json, types)))).toEqual({
      map_types: {
        have_hash_map_type: true,
        have_arena_map_type: false,
        have_devmap_map_type: null,
      },
    });
  });
});

it("writes any JSON so that it reads back, compact and pretty", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.boolean(), (value, pretty) => {
      const text = jsonText(pretty, (json) => writeJson(json, value as never));
      // JSON has no -0.
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});
