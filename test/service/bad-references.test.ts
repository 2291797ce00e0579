import { type MapRefInit, mapRef, status } from "@bpfmapd/client";
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

const notFound = (reason: string) => refusal(status.NOT_FOUND, reason);
const precondition = (reason: string) => refusal(status.FAILED_PRECONDITION, reason);

/** Every RPC that takes a reference is called with it; they must answer alike. */
const RPCS: Readonly<Record<string, (stage: Stage, ref: MapRefInit) => Promise<unknown>>> = {
  GetMap: (s, ref) => s.client.map(ref).get(),
  CountElements: (s, ref) => s.client.map(ref).count(),
  LookupElements: (s, ref) => s.client.map(ref).lookup(s.missing),
  UpdateElements: (s, ref) => s.client.map(ref).update(...s.element),
  DeleteElements: (s, ref) => s.client.map(ref).delete(s.element[0]),
  TakeElements: (s, ref) => s.client.map(ref).take(s.element[0]),
  NextKey: (s, ref) => s.client.map(ref).nextKey(),
  DumpMap: (s, ref) => s.client.map(ref).dump().header,
  LoadMap: (s, ref) => s.client.maps.loadMap(loadStart(ref)),
  ClearMap: (s, ref) => s.client.map(ref).clear(),
  PushElements: (s, ref) => s.client.map(ref).push([s.element[1]]),
  PopElements: (s, ref) => s.client.map(ref).pop(),
  PeekElement: (s, ref) => s.client.map(ref).peek(),
  FreezeMap: (s, ref) => s.client.map(ref).freeze(),
  PinMap: (s, ref) => s.client.maps.pinMap({ map: mapRef(ref), path: s.path("new") }),
  HoldMap: (s, ref) => s.client.maps.holdMap({ map: mapRef(ref), hold: { name: "new" } }),
};

async function* loadStart(ref: MapRefInit) {
  yield { kind: { case: "start" as const, value: { map: mapRef(ref) } } };
}

/** Bad references, by which part of MapRef they use; the field only where the path is at fault. */
const references: [title: string, ref: (s: Stage) => MapRefInit, reason: string, code?: status][] =
  [
    ["an id that no map has", () => ({ id: 0xfffffffe }), "MAP_NOT_FOUND"],
    ["a name that no map has", () => ({ name: "no_such_map" }), "MAP_NOT_FOUND"],
    ["a hold that the daemon does not have", () => ({ held: "no-such-hold" }), "HOLD_NOT_FOUND"],
    ["a path where nothing is", (s) => ({ pinPath: s.path("nothing") }), "PIN_NOT_FOUND"],
    ["a path below a pin", (s) => ({ pinPath: `${s.maps.hash.pinPath}/x` }), "PIN_PATH_INVALID", 3],
    ["a path in no directory", (s) => ({ pinPath: s.path("no/such") }), "PIN_NOT_FOUND"],
    ["a name that two maps have", (s) => ({ name: s.twin.name }), "NAME_AMBIGUOUS", 9],
    [
      "an id of another boot",
      (s) => ({ id: s.maps.hash.id, bootId: "01234567-89ab-cdef-0123-456789abcdef" }),
      "BOOT_ID_MISMATCH",
      9,
    ],
    [
      "a pin of another boot",
      (s) => ({ pinPath: s.maps.hash.pinPath, bootId: "x" }),
      "BOOT_ID_MISMATCH",
      9,
    ],
  ];

describe.each(Object.keys(RPCS))("%s", (rpc) => {
  it.each(references)("refuses %s", async (title, ref, reason, code = status.NOT_FOUND) => {
    const field =
      code === status.INVALID_ARGUMENT
        ? `${rpc === "LoadMap" ? "start." : ""}map.pin_path`
        : undefined;
    await stage.expectRefused([title, (s) => RPCS[rpc]!(s, ref(s)), refusal(code, reason, field)]);
  });
});

const get = (ref: (stage: Stage) => MapRefInit) => (s: Stage) => s.client.map(ref(s)).get();
const pin = (path: (stage: Stage) => string) => get((s) => ({ pinPath: path(s) }));
const outside = invalid("PIN_PATH_OUTSIDE_ROOT", "map.pin_path");
const pathInvalid = invalid("PIN_PATH_INVALID", "map.pin_path");

const calls: BadCall[] = [
  ["id 0", get(() => ({ id: 0 })), invalidField("map.id")],
  ["an empty name", get(() => ({ name: "" })), invalidField("map.name")],
  ["a name of 16 bytes", get(() => ({ name: "a234567890123456" })), invalidField("map.name")],
  [
    "a name of 15 characters in 16 bytes",
    get(() => ({ name: "ä23456789012345" })),
    invalidField("map.name"),
  ],
  ["an empty hold name", get(() => ({ held: "" })), invalidField("map.held")],
  ["a hold name of 64 bytes", get(() => ({ held: "h".repeat(64) })), invalidField("map.held")],
  ["a hold name that climbs", get(() => ({ held: "../x" })), notFound("HOLD_NOT_FOUND")],
  [
    "a boot id of 65 bytes",
    get(() => ({ id: 1, bootId: "b".repeat(65) })),
    invalidField("map.boot_id"),
  ],
  [
    "an empty boot id",
    get((s) => ({ id: s.maps.hash.id, bootId: "" })),
    precondition("BOOT_ID_MISMATCH"),
  ],
  ["no reference", (s) => s.client.maps.getMap({}), invalidField("map")],
  ["a reference to nothing", (s) => s.client.maps.getMap({ map: {} }), invalidField("map.ref")],
  ["a path outside the roots", pin(() => "/tmp/map"), outside],
  ["a path in another bpffs", pin(() => "/sys/fs/bpf/map"), outside],
  ["the root itself", pin((s) => s.daemon.bpffs), outside],
  ["a path that begins like the root", pin((s) => `${s.daemon.bpffs}2/map`), outside],
  ["a path that climbs out", pin((s) => s.path("../secret")), pathInvalid],
  [
    "a path that climbs out and back",
    pin((s) => s.path(`x/../../bpffs/${s.maps.hash.name}`)),
    pathInvalid,
  ],
  ["a path with a dot part", pin((s) => s.path(`./${s.maps.hash.name}`)), pathInvalid],
  ["a path with an empty part", pin((s) => s.path(`/${s.maps.hash.name}`)), pathInvalid],
  ["a path that ends in a slash", pin((s) => `${s.maps.hash.pinPath}/`), pathInvalid],
  ["a relative path", pin((s) => s.maps.hash.name), pathInvalid],
  ["a path with a NUL", pin((s) => `${s.maps.hash.pinPath}\0x`), pathInvalid],
  ["a name with a dot", pin((s) => s.path("maps.debug")), pathInvalid],
  ["an empty path", pin(() => ""), invalidField("map.pin_path")],
  ["a path of 4096 bytes", pin((s) => s.path("a/".repeat(2048))), invalidField("map.pin_path")],
  ["a part of 256 bytes", pin((s) => s.path("n".repeat(256))), pathInvalid],
  ["a symbolic link to a pin", pin((s) => s.path("link")), pathInvalid],
  ["a way out by a symbolic link", pin((s) => s.path("way-out/etc/passwd")), pathInvalid],
  ["a directory", pin((s) => s.path("directory")), invalid("NOT_A_MAP", "map.pin_path")],
  ["the daemon's own pins", pin((s) => s.path(`bpfmapd/${s.maps.hash.hold}`)), pathInvalid],
  ["the daemon's own directory", pin((s) => s.path("bpfmapd")), pathInvalid],
];

describe("GetMap", () => {
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));

  it("lists the ids that share an ambiguous name", async () => {
    const { name, ids } = stage.twin;
    const error = await stage.client
      .map({ name })
      .get()
      .catch((thrown) => thrown);
    expect(error.metadata).toMatchObject({ name, ids: ids.join(",") });
    for (const id of ids) expect(error.message).toContain(String(id));
  });

  it("tells the boot that runs where the reference is of another", async () => {
    const { bootId } = stage.maps.hash.info;
    const error = await stage.client
      .map({ id: 1, bootId: "old" })
      .get()
      .catch((thrown) => thrown);
    expect(error.metadata).toEqual({ boot_id: bootId });
    expect((await stage.client.map({ id: stage.maps.hash.id, bootId }).get()).bootId).toBe(bootId);
  });
});

describe("ListMaps", () => {
  const list: [title: string, request: object, field: string][] = [
    ["a page token that is none", { pageToken: "not a token" }, "page_token"],
    ["a page token of three bytes", { pageToken: "AAAA" }, "page_token"],
    ["a page token with a tail", { pageToken: "AAAAAA==" }, "page_token"],
    ["a page token of 65 bytes", { pageToken: "A".repeat(65) }, "page_token"],
    ["a page of 10,001 maps", { pageSize: 10_001 }, "page_size"],
    ["a glob of 257 bytes", { filter: { nameGlob: "*".repeat(257) } }, "filter.name_glob"],
    ["65 types", { filter: { types: Array(65).fill(1) } }, "filter.types"],
  ];
  it.each(list)("refuses %s", async (title, request, field) => {
    await stage.expectRefused([title, (s) => s.client.maps.listMaps(request), invalidField(field)]);
  });
});
