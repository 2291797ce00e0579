import { mapRef, status } from "@bpfmapd/client";
import { CreateFlag, IfExists, MapType } from "@bpfmapd/client/proto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BadCall,
  invalid,
  invalidField,
  refusal,
  Stage,
  titled,
} from "./support/bad-input.js";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterAll(() => stage?.dispose());

/** A hash map that is as it should be. */
const GOOD = { type: MapType.HASH, name: "new", keySize: 4, valueSize: 8, maxEntries: 4 };
const ARRAY = { ...GOOD, type: MapType.ARRAY };
const DAY_MS = 86_400_000;

const create =
  (spec: object, more: object = {}) =>
  (s: Stage) =>
    s.client.maps.createMap({ spec, hold: { name: "new" }, ...more });

const holdNotFound = refusal(status.NOT_FOUND, "HOLD_NOT_FOUND");
const pinNotFound = refusal(status.NOT_FOUND, "PIN_NOT_FOUND");
const pinExists = refusal(status.ALREADY_EXISTS, "PIN_EXISTS");
const holdExists = refusal(status.ALREADY_EXISTS, "HOLD_EXISTS");

/** Holds that no RPC takes, with the field below `hold` at fault. */
const badHolds: [title: string, hold: object, field: string][] = [
  ["without a name", {}, "name"],
  ["whose name starts with a dash", { name: "-a" }, "name"],
  ["whose name has a slash", { name: "a/b" }, "name"],
  ["whose name has an at sign", { name: "a@1000" }, "name"],
  ["whose name has a dot", { name: ".." }, "name"],
  ["whose name ends in a line break", { name: "a\n" }, "name"],
  ["whose name is not ASCII", { name: "mäp" }, "name"],
  ["whose name has 64 characters", { name: "a".repeat(64) }, "name"],
  ["for less than a second", { name: "a", lease: durationFromMs(999) }, "lease"],
  ["for more than 366 days", { name: "a", lease: durationFromMs(366 * DAY_MS + 1) }, "lease"],
  ["for a negative time", { name: "a", lease: durationFromMs(-5000) }, "lease"],
];

describe.each([
  ["CreateMap", (s: Stage, hold: object) => create(GOOD, { hold })(s)],
  ["HoldMap", (s: Stage, hold: object) => s.client.maps.holdMap({ map: s.ref("hash"), hold })],
] as const)("%s", (_rpc, call) => {
  it.each(badHolds)("refuses a hold %s", async (title, hold, field) => {
    await stage.expectRefused([title, (s) => call(s, hold), invalidField(`hold.${field}`)]);
  });
});

/** Paths at which nothing can be pinned. */
const badPaths: [title: string, path: (s: Stage) => string, reason: string][] = [
  ["outside the roots", () => "/tmp/new", "PIN_PATH_OUTSIDE_ROOT"],
  ["that climbs out", (s) => s.path("../new"), "PIN_PATH_INVALID"],
  ["with a dot in its name", (s) => s.path("new.map"), "PIN_PATH_INVALID"],
  ["that ends in a slash", (s) => s.path("new/"), "PIN_PATH_INVALID"],
  ["that is relative", () => "new", "PIN_PATH_INVALID"],
  ["through a symbolic link", (s) => s.path("way-out/tmp/new"), "PIN_PATH_INVALID"],
  ["below a pin", (s) => `${s.maps.hash.pinPath}/new`, "PIN_PATH_INVALID"],
  ["in the daemon's own directory", (s) => s.path("bpfmapd/new"), "PIN_PATH_INVALID"],
];

describe.each([
  ["CreateMap", "pin_path", (s: Stage, pinPath: string) => create(GOOD, { pinPath })(s)],
  [
    "CreateMap with create_parents",
    "pin_path",
    (s: Stage, pinPath: string) => create(GOOD, { pinPath, createParents: true })(s),
  ],
  [
    "PinMap",
    "path",
    (s: Stage, path: string) => s.client.maps.pinMap({ map: s.ref("hash"), path }),
  ],
  [
    "PinMap with create_parents",
    "path",
    (s: Stage, path: string) =>
      s.client.maps.pinMap({ map: s.ref("hash"), path, createParents: true }),
  ],
  ["UnpinMap", "path", (s: Stage, path: string) => s.client.maps.unpinMap({ path })],
] as const)("%s", (_rpc, field, call) => {
  it.each(badPaths)("refuses a path %s", async (title, path, reason) => {
    await stage.expectRefused([title, (s) => call(s, path(s)), invalid(reason, field)]);
  });
});

describe("what begins and ends a map's life", () => {
  const { hold, release, keepAlive, pin, unpin } = {
    hold: (name: string) => (s: Stage) =>
      s.client.maps.holdMap({ map: s.ref("array"), hold: { name } }),
    release: (name: string) => (s: Stage) => s.client.maps.releaseMap({ name }),
    keepAlive:
      (...names: string[]) =>
      (s: Stage) =>
        s.client.maps.keepAlive({ names }),
    pin: (path: string) => (s: Stage) =>
      s.client.maps.pinMap({ map: s.ref("hash"), path: s.path(path) }),
    unpin: (path: string) => (s: Stage) => s.client.maps.unpinMap({ path: s.path(path) }),
  };
  const calls: BadCall[] = [
    [
      "CreateMap without hold and pin",
      (s) => s.client.maps.createMap({ spec: GOOD }),
      invalidField(""),
    ],
    [
      "CreateMap in a directory that is not there",
      (s) => create(GOOD, { pinPath: s.path("no/new") })(s),
      pinNotFound,
    ],
    [
      "HoldMap without a hold",
      (s) => s.client.maps.holdMap({ map: s.ref("hash") }),
      invalidField("hold"),
    ],
    ["HoldMap under another map's name", (s) => hold(s.maps.hash.hold)(s), holdExists, "array"],
    ["ReleaseMap of a hold that is not there", release("no-such-hold"), holdNotFound],
    ["ReleaseMap of a path", release("../hash"), holdNotFound],
    ["ReleaseMap of no name", release(""), invalidField("name")],
    ["KeepAlive of no name", keepAlive(), invalidField("names")],
    ["KeepAlive of an empty name", keepAlive("a", ""), invalidField("names[1]")],
    [
      "KeepAlive where one name is unknown",
      (s) => keepAlive(s.maps.hash.hold, "no-such-hold")(s),
      holdNotFound,
    ],
    [
      "KeepAlive of 10,001 names",
      keepAlive(...Array<string>(10_001).fill("a")),
      invalidField("names"),
    ],
    ["PinMap where something is pinned", (s) => pin(s.maps.array.name)(s), pinExists, "hash"],
    ["PinMap over a directory", pin("directory"), pinExists, "hash"],
    ["PinMap over a link", pin("link"), pinExists, "hash"],
    ["PinMap in a directory that is not there", pin("no/new"), pinNotFound, "hash"],
    [
      "PinMap at no path",
      (s) => s.client.maps.pinMap({ map: s.ref("hash") }),
      invalidField("path"),
    ],
    ["UnpinMap where nothing is", unpin("nothing"), pinNotFound],
    ["UnpinMap of a directory", unpin("directory"), invalid("NOT_A_MAP", "path")],
    ["UnpinMap of a link", unpin("link"), invalid("PIN_PATH_INVALID", "path")],
    [
      "UnpinMap of a hold",
      (s) => unpin(`bpfmapd/${s.maps.hash.hold}`)(s),
      invalid("PIN_PATH_INVALID", "path"),
    ],
    [
      "FreezeMap of a map that is not there",
      (s) => s.client.maps.freezeMap({ map: mapRef({ id: 0xfffffffe }) }),
      refusal(status.NOT_FOUND, "MAP_NOT_FOUND"),
    ],
  ];
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));
});

describe("CreateMap where something is there already", () => {
  const reuse = { ifExists: IfExists.REUSE_COMPATIBLE };
  const taken = (s: Stage) => ({ hold: { name: s.maps.hash.hold } });
  const calls: BadCall[] = [
    ["a hold that is taken", (s) => create(GOOD, taken(s))(s), holdExists, "hash"],
    ["a pin that is taken", (s) => create(GOOD, { pinPath: s.maps.hash.pinPath })(s), pinExists],
    ["a directory as a pin", (s) => create(GOOD, { pinPath: s.path("directory") })(s), pinExists],
    [
      "a link as a pin",
      (s) => create(GOOD, { pinPath: s.path("link") })(s),
      invalid("PIN_PATH_INVALID", "pin_path"),
    ],
    [
      "a taken hold beside a free pin",
      (s) => create(GOOD, { ...taken(s), pinPath: s.path("free") })(s),
      holdExists,
      "hash",
    ],
    [
      "a free hold beside a taken pin",
      (s) => create(GOOD, { pinPath: s.maps.hash.pinPath })(s),
      pinExists,
    ],
    [
      "to reuse a map of another size",
      (s) => create({ ...GOOD, valueSize: 9 }, { ...taken(s), ...reuse })(s),
      refusal(status.FAILED_PRECONDITION, "MAP_INCOMPATIBLE", "spec.value_size"),
      "hash",
    ],
    [
      "to reuse a hold and a pin of two maps",
      (s) => create(GOOD, { ...taken(s), pinPath: s.maps.array.pinPath, ...reuse })(s),
      refusal(status.FAILED_PRECONDITION, "MAP_INCOMPATIBLE", "hold.name"),
    ],
    ["an IfExists that is none", create(GOOD, { ifExists: 9 }), invalidField("if_exists")],
  ];
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));

  it("tells each difference of a map that cannot be reused", async () => {
    const spec = { ...ARRAY, maxEntries: 7, flags: CreateFlag.MMAPABLE };
    const error = await create(spec, { ...taken(stage), ...reuse })(stage).catch(
      (thrown) => thrown,
    );
    expect(error.violations.map(({ field }: { field: string }) => field)).toEqual([
      "spec.type",
      "spec.max_entries",
      "spec.flags",
    ]);
  });
});
