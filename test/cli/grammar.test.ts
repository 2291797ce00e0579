import { mapRef } from "@bpfmapd/client";
import { MapType } from "@bpfmapd/client/proto";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { takeCreate } from "#dist/cli/grammar/create-args.js";
import { parseDataText, takeData } from "#dist/cli/grammar/data.js";
import { formatDuration, parseDuration } from "#dist/cli/grammar/duration.js";
import {
  type KeyArg,
  takeKey,
  takeOptionalKey,
  takeUpdate,
  type ValueArg,
} from "#dist/cli/grammar/element-args.js";
import { takeMap } from "#dist/cli/grammar/map-arg.js";
import { MAP_TYPE_NAMES, mapTypeName, parseMapType } from "#dist/cli/grammar/map-type.js";
import type { HostNames } from "#dist/cli/grammar/object-args.js";
import { Words } from "#dist/cli/grammar/words.js";
import { bpftool, mustBpftool, type PrivateBpffs, privateBpffs } from "./support/bpftool.js";

const words = (text: string) => new Words(text.split(" ").filter((word) => word !== ""));
const sizes = { keySize: 4, valueSize: 2 };

/** The bytes of a key or value that must be such. */
function bytesOf(arg: KeyArg | ValueArg): number[] {
  if (arg instanceof Uint8Array) return [...arg];
  throw new Error(`bytes expected, not ${JSON.stringify(arg)}`);
}

describe("DATA", () => {
  it.each([
    ["10 0x0a 012 255", [10, 10, 10, 255]],
    ["hex 0a ff 7 0x10", [10, 255, 7, 16]],
    ["h a b c d", [10, 11, 12, 13]],
    ["0 00 0x0 1", [0, 0, 0, 1]],
  ])("reads %s as bpftool does", (text, bytes) => {
    expect([...takeData(words(text), 4, "key")]).toEqual(bytes);
  });

  it.each([
    ["1 2 3", "key expected 4 bytes got 3"],
    ["1 2 3 value 5", "key expected 4 bytes got 3"],
    ["1 2 3 08", "error parsing byte: 08"],
    ["1 2 3 0a", "error parsing byte: 0a"],
    ["1 2 3 -1", "error parsing byte: -1"],
    ["1 2 3 256", "error parsing byte: 256 is above 255"],
    ["hex 1 2 3 100", "error parsing byte: 100 is above 255"],
    ["hex 1 2 3 g", "key expected 4 bytes got 3"],
    ["id 5", "key expected 4 bytes got 0"],
  ])("refuses %s", (text, message) => {
    expect(() => takeData(words(text), 4, "key")).toThrow(message);
  });

  it("takes exactly the bytes of the key, so that hexadecimal a and e are no keywords", () => {
    const rest = words("hex a e a e exist");
    takeData(rest, 4, "key");
    expect(rest.peek()).toBe("exist");
  });

  it("reads every byte back in decimal, hexadecimal and octal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        const decimal = [...bytes].map(String);
        const hex = ["hex", ...[...bytes].map((byte) => byte.toString(16))];
        const octal = [...bytes].map((byte) => `0${byte.toString(8)}`);
        for (const form of [decimal, hex, octal]) {
          expect(takeData(new Words(form), bytes.length, "key")).toEqual(bytes);
        }
      }),
    );
  });

  it("reads the value of an option, with spaces or commas", () => {
    expect([...parseDataText("hex 0a,0b ff", "--prefix")]).toEqual([10, 11, 255]);
    expect(() => parseDataText("", "--prefix")).toThrow("--prefix: no bytes given");
  });
});

describe("MAP", () => {
  it.each([
    ["id 5", { by: "id", id: 5 }],
    ["i 0x10", { by: "id", id: 16 }],
    ["pinned /a/b", { by: "pinned", path: "/a/b" }],
    ["p /a/b", { by: "pinned", path: "/a/b" }],
    ["name x", { by: "name", name: "x" }],
    ["n x", { by: "name", name: "x" }],
    ["held x", { by: "held", held: "x" }],
  ])("reads %s", (text, map) => {
    expect(takeMap(words(text))).toEqual(map);
  });

  it.each([
    ["", "a map (id N, pinned FILE, name NAME or held NAME) is missing"],
    ["zork 5", "expected 'id', 'name', 'pinned' or 'held', got: 'zork'?"],
    ["id", "the map's id after 'id' is missing"],
    ["id 5x", "can't parse the map's id"],
    ["id 4294967296", "is above 4294967295"],
  ])("refuses %s", (text, message) => {
    expect(() => takeMap(words(text))).toThrow(message);
  });
});

const hash = { ...sizes, type: MapType.HASH };

/** Names of a daemon on this host. */
const names: HostNames = {
  mapRef: (map) => mapRef(map.by === "id" ? { id: map.id } : { name: "other" }),
  hostPath: (path) => `/host${path}`,
};

describe("objects", () => {
  it.each<[MapType, string, [string, unknown]]>([
    [MapType.PROG_ARRAY, "id 7", ["program", { ref: { case: "id", value: 7 } }]],
    [MapType.PROG_ARRAY, "pinned /p", ["program", { ref: { case: "pinPath", value: "/host/p" } }]],
    [MapType.HASH_OF_MAPS, "id 9", ["map", { ref: { case: "id", value: 9 } }]],
    [
      MapType.DEVMAP,
      "interface eth0 program id 3",
      [
        "device",
        {
          interface: { ref: { case: "name", value: "eth0" } },
          program: { ref: { case: "id", value: 3 } },
        },
      ],
    ],
    [
      MapType.DEVMAP_HASH,
      "interface 12",
      ["device", { interface: { ref: { case: "index", value: 12 } } }],
    ],
    [MapType.CPUMAP, "queue 192", ["cpu", { queueSize: 192 }]],
    [MapType.CGROUP_ARRAY, "cgroup /a", ["cgroup", { ref: { case: "path", value: "/a" } }]],
    [MapType.CGROUP_ARRAY, "cgroup id 5", ["cgroup", { ref: { case: "id", value: 5n } }]],
    [
      MapType.SOCKHASH,
      "socket 10 3",
      ["socket", { ref: { case: "file", value: { pid: 10, fd: 3 } } }],
    ],
    [
      MapType.PERF_EVENT_ARRAY,
      "event cpu 1",
      ["perfEvent", { ref: { case: "spec", value: { type: 1, config: 10n, cpu: 1 } } }],
    ],
  ])("reads the value of a map of type %s from %s", (type, text, expected) => {
    const args = takeUpdate(words(`key 1 2 3 4 value ${text} any`), { ...sizes, type }, names);
    const [kind, value] = expected;
    expect(args.value).toMatchObject({ object: { case: kind, value } });
    expect(args.flag).toBe("any");
  });

  it.each<[MapType, string, [string, unknown]]>([
    [MapType.TASK_STORAGE, "task 42", ["task", { pid: 42 }]],
    [MapType.INODE_STORAGE, "path /etc", ["path", "/etc"]],
    [MapType.CGRP_STORAGE, "cgroup /a", ["cgroup", { ref: { case: "path", value: "/a" } }]],
    [
      MapType.CGROUP_STORAGE,
      "cgroup /a attach_type 1",
      ["attachment", { cgroup: { ref: { case: "path", value: "/a" } }, attachType: 1 }],
    ],
  ])("reads the key of a map of type %s from %s", (type, text, expected) => {
    const args = takeUpdate(words(`key ${text} value 1 2`), { ...sizes, type }, names);
    const [kind, value] = expected;
    expect(args.key).toMatchObject({ object: { case: kind, value } });
  });

  it.each<[MapType, string, string]>([
    [MapType.PROG_ARRAY, "1 0 0 0", "expected a program ('id' or 'pinned'), got: '1'?"],
    [MapType.CPUMAP, "192", "expected queue SIZE [program PROG], got: '192'?"],
    [MapType.SOCKMAP, "socket 5", "the number of the file in that process is missing"],
  ])("of a map of type %s refuses %s", (type, text, message) => {
    const update = () => takeUpdate(words(`key 1 2 3 4 value ${text}`), { ...sizes, type }, names);
    expect(update).toThrow(message);
  });
});

describe("update", () => {
  it.each([
    ["key 1 2 3 4 value 5 6", "any"],
    ["value 5 6 key 1 2 3 4 any", "any"],
    ["value 5 6 exist key 1 2 3 4", "exist"],
    ["k 1 2 3 4 v hex 5 6 n", "noexist"],
  ])("reads %s in any order", (text, flag) => {
    const args = takeUpdate(words(text), hash, names);
    expect([bytesOf(args.key), bytesOf(args.value), args.flag]).toEqual([
      [1, 2, 3, 4],
      [5, 6],
      flag,
    ]);
  });

  it.each([
    ["key 1 2 3 4", "did not find value"],
    ["value 1 2", "did not find key"],
    ["key 1 2 3 4 5 value 1 2", "expected key or value, got: 5"],
    ["key 1 2 3 4 key 1 2 3 4 value 1 2", "key already specified"],
    ["key 1 2 3 4 value 1 2 any any", "flags already specified"],
    ["key 1 2 3 4 noexist value 1 2 exist", "flags already specified"],
    ["key 1 2 3 4 value 1 2 zork", "expected key or value, got: zork"],
  ])("refuses %s", (text, message) => {
    expect(() => takeUpdate(words(text), hash, names)).toThrow(message);
  });

  it("takes JSON by how it begins, and anything after json", () => {
    const args = new Words(["key", "json", "5", "value", '{"packets": 1}', "noexist"]);
    expect(takeUpdate(args, hash, names)).toEqual({
      key: { json: "5" },
      value: { json: '{"packets": 1}' },
      flag: "noexist",
    });
    expect(takeKey(new Words(["key", '"eth0"']), sizes)).toEqual({ json: '"eth0"' });
    expect(() => takeKey(new Words(["key", "json"]), sizes)).toThrow("key after json is missing");
  });

  it("takes no key where the map has none", () => {
    const queue = { keySize: 0, valueSize: 2, type: MapType.QUEUE };
    expect(bytesOf(takeUpdate(words("value 1 2"), queue, names).value)).toEqual([1, 2]);
    expect(() => takeUpdate(words("key 1 value 1 2"), queue, names)).toThrow(
      "this map has no keys",
    );
    expect(bytesOf(takeKey(words(""), queue))).toEqual([]);
  });

  it("knows a missing key from one that is asked for", () => {
    expect(takeOptionalKey(words(""), sizes)).toBeUndefined();
    expect(() => takeKey(words(""), sizes)).toThrow("did not find key");
    expect(() => takeKey(words("key 1 2 3 4 5"), sizes)).toThrow("expected key or value, got: 5");
  });
});

describe("create", () => {
  it("reads its words in any order, and sizes that are not given as 0", () => {
    expect(takeCreate(words("name n flags 0x1 type hash value 8 key 4 entries 16"))).toMatchObject({
      type: MapType.HASH,
      name: "n",
      keySize: 4,
      valueSize: 8,
      maxEntries: 16,
      flags: 1,
    });
    expect(takeCreate(words("t queue v 8 e 16 n q"))).toMatchObject({
      keySize: 0,
      valueSize: 8,
      maxEntries: 16,
    });
  });

  it("reads the template of inner maps and the device", () => {
    const text = "type array_of_maps key 4 value 4 entries 2 name n inner_map id 7 dev lo";
    expect(takeCreate(words(text))).toMatchObject({ innerMap: { by: "id", id: 7 }, device: "lo" });
    expect(takeCreate(words("type hash name n offload_dev eth0")).device).toBe("eth0");
  });

  it.each([
    ["name n", "map type not specified"],
    ["type hash", "map name not specified"],
    ["type h name n", "unrecognized map type: h"],
    ["type hash type hash name n", "map type already specified"],
    ["type hash name n key 4 key 4", "key already specified"],
    ["type hash name n zork 4", "unknown arg zork"],
    ["type hash name n key", "the number after 'key' is missing"],
  ])("refuses %s", (text, message) => {
    expect(() => takeCreate(words(text))).toThrow(message);
  });

  it("names every map type of the contract, and back", () => {
    for (const name of MAP_TYPE_NAMES) expect(mapTypeName(parseMapType(name))).toBe(name);
    expect(mapTypeName(99 as MapType)).toBeUndefined();
  });
});

describe("durations", () => {
  it.each([
    ["30s", 30_000],
    ["1h30m", 5_400_000],
    ["7d", 604_800_000],
    ["500ms", 500],
    ["90", 90_000],
  ])("reads %s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "0", "-1s", "1x", "s", "1.5h"])('refuses "%s"', (text) => {
    expect(() => parseDuration(text)).toThrow("is not a duration");
  });

  it("writes what it reads", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 ** 10 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe("beside bpftool", () => {
  let bpffs: PrivateBpffs;
  beforeAll(() => {
    bpffs = privateBpffs();
    return () => bpffs.dispose();
  });

  it("names the types that bpftool knows as bpftool does", () => {
    const help = bpftool("map", "help").stderr;
    const list = /TYPE := \{([^}]*)\}/.exec(help)?.[1] ?? "";
    const names = list.split("|").map((name) => name.trim());
    expect(names.length).toBeGreaterThan(30);
    for (const name of names) expect(MAP_TYPE_NAMES).toContain(name);
  });

  it.each([
    "key 10 0x0a 012 255 value 1 2",
    "value hex 0a ff key hex 1 2 0x3 4",
    "k 1 2 3 4 v h a b",
    "key hex a e a e value hex e a exist",
    "value 1 2 any key 0 00 0x0 1",
  ])("writes the same element for %s", (text) => {
    const pin = `${bpffs.path}/m${text.length}${text.charCodeAt(4)}`;
    mustBpftool(
      ..."map create".split(" "),
      pin,
      ..."type hash key 4 value 2 entries 9 name m".split(" "),
    );
    // An element to change, for "exist".
    mustBpftool("map", "update", "pinned", pin, ..."key hex a e a e value 0 0".split(" "));
    mustBpftool("map", "update", "pinned", pin, ...text.split(" "));
    const { key, value } = takeUpdate(words(text), hash, names);
    const shown = mustBpftool(
      "-j",
      "map",
      "lookup",
      "pinned",
      pin,
      "key",
      ...bytesOf(key).map(String),
    );
    expect((JSON.parse(shown) as { value: string[] }).value.map(Number)).toEqual(bytesOf(value));
  });
});
