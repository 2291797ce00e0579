import { type BpfmapClient, type BpfmapError, status } from "@bpfmapd/client";
import { Format, MapType } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, test } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { compiledObject, loadedMaps } from "./support/bpf-object.js";

let daemon: TestDaemon;
let client: BpfmapClient;
let pins: string[];

beforeAll(async () => {
  daemon = await startDaemon();
  client = daemon.client;
  pins = loadedMaps(compiledObject("kinds", daemon.directory), daemon.bpffs);
  return () => daemon.dispose();
});

function refOf(name: string) {
  return client.map({ pinPath: pins.find((pin) => pin.endsWith(`/${name}`)) ?? "" }).ref;
}

/** What a call is refused with. */
async function refusal(call: Promise<unknown>): Promise<BpfmapError> {
  return call.then(
    () => expect.fail("it was not refused"),
    (error: BpfmapError) => error,
  );
}

describe("JSON that is not of the type is refused whole, with the path of the field", () => {
  const key = '{"daddr":1}';
  const cases: [what: string, map: string, key: string, value: string, description: RegExp][] = [
    [
      "no JSON",
      "conntrack",
      key,
      "{packets:1}",
      /^value: not JSON: a string expected at character 1/,
    ],
    [
      "a text that ends early",
      "conntrack",
      key,
      '{"packets":',
      /^value\.packets: a number expected/,
    ],
    ["more after the end", "conntrack", key, "{} {}", /^value: not JSON: the end expected/],
    [
      "an unknown member",
      "conntrack",
      key,
      '{"packet":1}',
      /^value\.packet: struct entry has no such member/,
    ],
    [
      "a member of another level",
      "events",
      '"k"',
      '{"pairs":[{"low":1},{"mid":2}]}',
      /^value\.pairs\[1\]\.mid: struct has no such member/,
    ],
    [
      "a member given twice",
      "conntrack",
      key,
      '{"packets":1,"packets":1}',
      /^value\.packets: is given twice/,
    ],
    [
      "a number out of range",
      "events",
      '"k"',
      '{"raw":[1,2,3,4,5,300]}',
      /^value\.raw\[5\]: 300 is out of range for unsigned char \(0 to 255\)/,
    ],
    [
      "a negative number for an unsigned type",
      "conntrack",
      key,
      '{"lifetime":-1}',
      /^value\.lifetime: -1 is out of range for __u32/,
    ],
    [
      "2^64",
      "conntrack",
      key,
      '{"packets":18446744073709551616}',
      /^value\.packets: 18446744073709551616 is out of range for __u64/,
    ],
    [
      "too much for a bitfield",
      "conntrack",
      key,
      '{"seen":8}',
      /^value\.seen: 8 is out of range for 3 bits of __u16 \(0 to 7\)/,
    ],
    [
      "a fraction for a whole number",
      "conntrack",
      key,
      '{"packets":1.5}',
      /^value\.packets: "1.5" is no whole number for __u64/,
    ],
    [
      "a name that an enumeration has not",
      "conntrack",
      key,
      '{"verdict":"VERDICT_MAYBE"}',
      /^value\.verdict: enum verdict has no "VERDICT_MAYBE"/,
    ],
    ["no bool", "conntrack", key, '{"local":1}', /^value\.local: true or false expected for bool/],
    ["null", "conntrack", key, "null", /^value: an object expected for struct entry/],
    [
      "an array that is too short",
      "events",
      '"k"',
      '{"slots":[[1,2],[3,4]]}',
      /^value\.slots: 2 elements given, 3 expected/,
    ],
    [
      "an array that is too long",
      "events",
      '"k"',
      '{"slots":[[1,2,3],[],[]]}',
      /^value\.slots\[0\]: more than 2 elements given/,
    ],
    [
      "a text that is too long",
      "events",
      '"123456789"',
      "{}",
      /^key: a text of 9 bytes, there is room for 8/,
    ],
    [
      "members of a union that disagree",
      "events",
      '"k"',
      '{"as":{"word":1,"halves":[2,0]}}',
      /^value\.as\.halves\[0\]: does not agree with another member of the same union/,
    ],
    [
      "members of anonymous unions that disagree",
      "conntrack",
      '{"daddr":1,"d6":[2,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}',
      "{}",
      /^key\.d6\[0\]: does not agree/,
    ],
  ];
  test.each(cases)("%s", async (_what, map, jsonKey, jsonValue, description) => {
    const elements = {
      count: 2,
      jsonKeys: [map === "events" ? '"fine"' : "{}", jsonKey],
      jsonValues: ["{}", jsonValue],
    };
    const error = await refusal(client.maps.updateElements({ map: refOf(map), elements }));
    expect(error).toMatchObject({ reason: "JSON_INVALID", metadata: { index: "1" } });
    expect(error.violations).toHaveLength(1);
    expect(error.violations[0]?.field).toMatch(/^elements\.json_(keys|values)\[1\]$/);
    expect(error.violations[0]?.description).toMatch(description);
    const { count } = await client.maps.countElements({ map: refOf(map) });
    expect(count).toBe(0n);
  });

  test("an index past the end, as with bytes", async () => {
    const request = { map: refOf("hits"), count: 1, jsonKeys: ["4"] };
    const error = await refusal(client.maps.lookupElements(request));
    expect(error).toMatchObject({ reason: "KEY_OUT_OF_RANGE" });
  });

  test("another number of texts than count says", async () => {
    const request = { map: refOf("hits"), count: 2, jsonKeys: ["1"] };
    const error = await refusal(client.maps.lookupElements(request));
    expect(error).toMatchObject({ reason: "FIELD_INVALID" });
  });
});

describe("members of a union that agree are taken together", () => {
  test("and so is what was dumped", async () => {
    const map = refOf("events");
    const as = { word: "1", halves: [1, 0], bytes: [1, 0, 0, 0, 0, 0, 0, 0] };
    const elements = { count: 1, jsonKeys: ['"union"'], jsonValues: [JSON.stringify({ as })] };
    await client.maps.updateElements({ map, elements });
    const keys = { map, count: 1, jsonKeys: ['"union"'] };
    const found = await client.maps.lookupElements({ ...keys, format: Format.JSON });
    expect(JSON.parse(found.elements?.jsonValues[0] ?? "").as).toEqual(as);
    await client.maps.deleteElements(keys);
  });
});

describe("types that cannot be used are refused", () => {
  const lookup = { count: 1, keys: Buffer.alloc(4), format: Format.JSON };

  test("a map without BTF, with what to do", async () => {
    const { map } = await client.maps.createMap({
      spec: { type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 1 },
      hold: { name: "untyped" },
    });
    const ref = client.map({ id: map?.id ?? 0 }).ref;
    const error = await refusal(client.maps.lookupElements({ ...lookup, map: ref }));
    expect(error).toMatchObject({ reason: "NO_TYPES", message: /name some in typing/ });
    const schema = await refusal(client.maps.getMapSchema({ map: ref }));
    expect(schema).toMatchObject({ reason: "NO_TYPES" });
    const keyed = { keyType: "u32", valueType: "u64" };
    const own = await refusal(client.maps.getMapSchema({ map: ref, typing: keyed }));
    expect(own).toMatchObject({ reason: "NO_TYPES" });
    await client.maps.releaseMap({ name: "untyped" });
  });

  const vmlinux = { case: "kernel" as const, value: "vmlinux" };
  test.each([
    ["an unknown name", { source: vmlinux, valueType: "struct no_such_thing" }, "TYPE_NOT_FOUND"],
    ["a name of a function", { source: vmlinux, valueType: "schedule" }, "TYPE_NOT_FOUND"],
    [
      "an unknown module",
      { source: { ...vmlinux, value: "nomodule" }, valueType: "u64" },
      "TYPE_NOT_FOUND",
    ],
    [
      "no name of a module",
      { source: { ...vmlinux, value: "../x" }, valueType: "u64" },
      "TYPE_NOT_FOUND",
    ],
    [
      "an unknown BTF id",
      { source: { case: "btfId" as const, value: 4_000_000_000 }, valueType: "u64" },
      "TYPE_NOT_FOUND",
    ],
    ["no name at all", { source: vmlinux }, "FIELD_INVALID"],
    [
      "a type of another size",
      { source: vmlinux, valueType: "struct task_struct" },
      "TYPE_SIZE_MISMATCH",
    ],
    ["a key type of another size", { source: vmlinux, keyType: "u64" }, "TYPE_SIZE_MISMATCH"],
    [
      "an unknown program",
      {
        source: {
          case: "program" as const,
          value: { ref: { case: "id" as const, value: 4_000_000_000 } },
        },
        valueType: "u64",
      },
      "OBJECT_NOT_FOUND",
    ],
    ["a name that the map's own BTF has not", { valueType: "struct elsewhere" }, "TYPE_NOT_FOUND"],
  ])("%s", async (_what, typing, reason) => {
    const error = await refusal(
      client.maps.lookupElements({ ...lookup, map: refOf("hits"), typing }),
    );
    expect(error).toMatchObject({ reason });
    if (error.code === status.INVALID_ARGUMENT) {
      expect(error.violations[0]?.field).toMatch(/^typing/);
    }
  });
});
