import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { closeFd, KernelError, mapGetFdById } from "#dist/kernel/index.js";
import {
  type CreateMapRequest,
  createMap,
  deleteElements,
  freezeMap,
  getMap,
  listMaps,
  type MapHost,
  type MapSpec,
  MapType,
  pinMap,
  releaseMap,
  unpinMap,
} from "#dist/maps/index.js";
import { bpftoolDump } from "./support/bpftool.js";
import { dumped } from "./support/dumped.js";
import { byKey, columnsOf, range, u32 } from "./support/elements.js";
import { startHost, type TestBpffs } from "./support/host.js";
import { makeMap } from "./support/kernel-map.js";
import { eventually, expectFailure } from "./support/outcome.js";

let host: MapHost;
let bpffs: TestBpffs;
beforeAll(async () => {
  const started = await startHost();
  ({ host, bpffs } = started);
  return started.close;
});

let number = 0;
let name: string;
beforeEach(() => {
  name = `life_${process.pid % 10_000}_${number++}`;
});

const at = (...parts: string[]) => join(bpffs.root, ...parts);
const spec = (more: Partial<MapSpec> = {}): MapSpec => ({
  type: MapType.HASH,
  name,
  keySize: 4,
  valueSize: 8,
  maxEntries: 100,
  flags: 0,
  mapExtra: 0n,
  numaNode: 0,
  ifindex: 0,
  btfVmlinuxValueTypeId: 0,
  ...more,
});

const create = (more: Partial<CreateMapRequest>) =>
  createMap(host, {
    spec: spec(),
    createParents: false,
    ifExists: "error",
    freeze: false,
    ...more,
  });
const REUSE = { ifExists: "reuse_compatible" } as const;

/** How many maps of the host have this test's name. */
async function countOfName(): Promise<number> {
  const { maps } = await listMaps(host, { pageSize: 10_000, filter: { nameGlob: name } });
  return maps.length;
}

function isAlive(id: number): boolean {
  try {
    closeFd(mapGetFdById(id));
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENOENT") return false;
    throw error;
  }
}

describe("CreateMap", () => {
  it("makes a map that is pinned, held, filled and frozen as asked", async () => {
    const elements = range(makeMap("HASH").layout, 0, 50);
    const { map, created } = await create({
      pinPath: at(name, "deep", "pin"),
      createParents: true,
      hold: { name, leaseMs: 60_000 },
      initialElements: columnsOf(elements),
      freeze: true,
    });
    expect(created).toBe(true);
    expect(map).toMatchObject({ name, frozen: true, holds: [{ name, leaseMs: 60_000 }] });
    expect(bpftoolDump(map.id)).toEqual(byKey(elements));
    const pinned = { by: "pinPath", pinPath: at(name, "deep", "pin") } as const;
    expect((await getMap(host, pinned)).id).toBe(map.id);
    const asked = { map: pinned, keys: u32(1), count: 1, onError: "stop" } as const;
    await expectFailure(deleteElements(host, asked), "MAP_FROZEN");
    await unpinMap(host, at(name, "deep", "pin"), true);
    expect(isAlive(map.id)).toBe(true);
    await releaseMap(host, name);
    await eventually(() => isAlive(map.id)).toBe(false);
  });

  it("leaves nothing behind where the elements do not fit", async () => {
    const initialElements = columnsOf(range(makeMap("HASH").layout, 0, 101));
    const call = create({ hold: { name }, pinPath: at(name), initialElements });
    await expectFailure(call, "MAP_FULL");
    await expectFailure(getMap(host, { by: "held", held: name }), "HOLD_NOT_FOUND");
    await expectFailure(getMap(host, { by: "pinPath", pinPath: at(name) }), "PIN_NOT_FOUND");
    expect(await countOfName()).toBe(0);
  });

  it("leaves nothing behind where the pin cannot be made", async () => {
    const call = create({ hold: { name }, pinPath: at("no", "directory") });
    await expectFailure(call, "PIN_NOT_FOUND");
    expect(await countOfName()).toBe(0);
    expect(host.holds.has(name)).toBe(false);
  });

  it("removes the pin, and only the directories that it made, where the hold cannot be made", async () => {
    mkdirSync(at("bpfmapd", name));
    mkdirSync(at(`${name}_old`));
    const call = create({
      hold: { name },
      pinPath: at(`${name}_old`, "new", "pin"),
      createParents: true,
    });
    await expectFailure(call, "HOLD_EXISTS");
    expect(readdirSync(at(`${name}_old`))).toEqual([]);
    expect(await countOfName()).toBe(0);
  });

  it("answers what is taken where nothing is to be reused", async () => {
    const { map } = await create({ hold: { name }, pinPath: at(name) });
    const held = await expectFailure(create({ hold: { name } }), "HOLD_EXISTS");
    expect(held.metadata).toMatchObject({ id: `${map.id}` });
    await expectFailure(create({ pinPath: at(name) }), "PIN_EXISTS");
    await expectFailure(create({ pinPath: at(name), hold: { name: `${name}_2` } }), "PIN_EXISTS");
    expect(await countOfName()).toBe(1);
  });
});

describe("CreateMap that may reuse", () => {
  it("answers with the map that is there, writes nothing into it, and adds what is missing", async () => {
    const first = await create({ pinPath: at(name), ...REUSE });
    const initialElements = columnsOf(range(makeMap("HASH").layout, 0, 3));
    const hold = { name, leaseMs: 60_000 };
    const second = await create({ pinPath: at(name), hold, initialElements, ...REUSE });
    expect(second).toMatchObject({ created: false, map: { id: first.map.id, holds: [hold] } });
    expect((await dumped(host, first.map.id)).elements).toEqual([]);
    const third = await create({ pinPath: at(`${name}_2`), hold: { name }, ...REUSE });
    expect(third.map).toMatchObject({ id: first.map.id, holds: [{ name, leaseMs: undefined }] });
    const pins = await getMap(host, { by: "id", id: first.map.id }, { pins: true });
    expect(pins.pinPaths).toEqual([at(name), at(`${name}_2`)]);
    expect(await countOfName()).toBe(1);
  });

  it("refuses a map that differs, and leaves it as it was", async () => {
    const { map } = await create({ pinPath: at(name) });
    const call = create({
      spec: spec({ maxEntries: 7, valueSize: 4 }),
      pinPath: at(name),
      hold: { name },
      ...REUSE,
    });
    const error = await expectFailure(call, "MAP_INCOMPATIBLE", "spec.max_entries");
    expect(error.violations.map(({ field }) => field)).toContain("spec.value_size");
    expect((await getMap(host, { by: "id", id: map.id })).holds).toEqual([]);
  });

  it("refuses a hold and a pin of two maps", async () => {
    await create({ pinPath: at(name) });
    await create({ hold: { name } });
    const call = create({ pinPath: at(name), hold: { name }, ...REUSE });
    await expectFailure(call, "MAP_INCOMPATIBLE", "hold.name");
  });

  it("gives all who ask at once the same map", async () => {
    const layout = makeMap("HASH").layout;
    const initialElements = columnsOf(range(layout, 0, 100));
    for (const more of [{ pinPath: at(name) }, { hold: { name: `${name}_hold` } }]) {
      const calls = Array.from({ length: 5 }, () => create({ ...more, initialElements, ...REUSE }));
      const answers = await Promise.all(calls);
      expect(new Set(answers.map(({ map }) => map.id)).size).toBe(1);
      expect(answers.filter(({ created }) => created)).toHaveLength(1);
    }
    expect(await countOfName()).toBe(2);
  });
});

describe("PinMap and UnpinMap", () => {
  it("pin a map at several places, each removed by itself", async () => {
    const { id } = makeMap("HASH");
    const ref = { by: "id", id } as const;
    await pinMap(host, ref, at(name, "a"), true);
    await pinMap(host, { by: "pinPath", pinPath: at(name, "a") }, at(name, "b"), false);
    expect((await getMap(host, ref, { pins: true })).pinPaths).toEqual([
      at(name, "a"),
      at(name, "b"),
    ]);
    await unpinMap(host, at(name, "a"), true);
    expect((await getMap(host, ref, { pins: true })).pinPaths).toEqual([at(name, "b")]);
  });
});

describe("FreezeMap", () => {
  it("is for good, and told of a map that was frozen before", async () => {
    const { id } = makeMap("ARRAY");
    const ref = { by: "id", id } as const;
    expect((await getMap(host, ref)).frozen).toBe(false);
    await freezeMap(host, ref);
    expect((await getMap(host, ref)).frozen).toBe(true);
    await expectFailure(freezeMap(host, ref), "MAP_FROZEN");
  });
});
