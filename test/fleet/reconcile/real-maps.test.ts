import { type MapRef, MapType } from "@bpfmapd/client/proto";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { Reconciler, SegmentLibrary, ServedMap } from "#dist/fleet/reconcile/index.js";
import { MapSets, type SetSpec } from "#dist/fleet/sets/index.js";
import { bpftoolDump } from "../../maps/support/bpftool.js";
import { startDaemon, type TestDaemon } from "../../support/daemon.js";
import { elementsOf, numbers, patchOf, SPEC } from "../sets-contract/fixture.ts";
import { embedded } from "../support/embedded.ts";
import { MemoryDisk } from "./support/memory-state.ts";

const RUNS = Number(process.env.BPFMAPD_SETS_MODEL_RUNS ?? 12);
const seed = process.env.BPFMAPD_MODEL_SEED;
const { signal } = new AbortController();

let daemon: TestDaemon;
let sets: MapSets;
beforeAll(async () => {
  daemon = await startDaemon();
  const fresh = await embedded.fresh();
  sets = new MapSets(await fresh.connect());
  return async () => {
    await fresh.dispose();
    await daemon.dispose();
  };
});

let count = 0;

/** A map that the daemon holds, and what brings a set into it. */
async function makeMap(type: MapType, maxEntries: number, spec: Partial<SetSpec> = {}) {
  const name = `m${++count}`;
  const { keySize, valueSize } = { ...SPEC, ...spec };
  const flags = type === MapType.LPM_TRIE ? 1 : 0;
  const { map } = await daemon.client.maps.createMap({
    spec: { type, name, keySize, valueSize, maxEntries, flags },
    hold: { name },
  });
  const ref = { ref: { case: "held", value: name } } as MapRef;
  const target = new ServedMap(daemon.client.maps, { ref });
  return { name, id: map!.id, target, host: newHost(name) };
}

function newHost(name: string): Reconciler {
  const disk = new MemoryDisk();
  const library = new SegmentLibrary(disk, (set, hash) => sets.segment(set, hash));
  return new Reconciler(name, library, disk, undefined);
}

async function put(
  name: string,
  contents: Iterable<readonly [number, number]>,
  spec: Partial<SetSpec> = {},
) {
  const whole = { ...SPEC, ...spec };
  return (await sets.put(name, whole, [elementsOf(contents, whole)])).manifest;
}

/** As bpftool has the numbers of a set. */
function dumped(contents: Iterable<readonly [number, number]>): Map<string, string> {
  const hex = (number: number) => number.toString(16).padStart(8, "0");
  return new Map([...contents].map(([key, value]) => [hex(key), hex(value)]));
}

describe("a set in a hash map", () => {
  it("is there whole, follows deltas, and others' changes are found and repaired", async () => {
    const { name, id, target, host } = await makeMap(MapType.HASH, 20_000);
    const contents = new Map(numbers(0, 10_000, (key) => key * 3));
    await host.apply(target, await put(name, contents), signal);
    expect(bpftoolDump(id)).toEqual(dumped(contents));
    const { manifest } = await sets.patch(
      name,
      patchOf(
        [
          [5, 55],
          [20_000, 1],
        ],
        [9999],
      ),
    );
    expect(await host.apply(target, manifest, signal)).toMatchObject({ isDelta: true });
    contents.set(5, 55).set(20_000, 1).delete(9999);
    expect(bpftoolDump(id)).toEqual(dumped(contents));
    const map = { ref: { case: "id" as const, value: id } };
    const { keys, values } = elementsOf([
      [1, 1],
      [77_777, 7],
    ]);
    await daemon.client.maps.updateElements({ map, elements: { count: 2, keys, values } });
    await daemon.client.maps.deleteElements({ map, keys: elementsOf([[2, 0]]).keys, count: 1 });
    const { found, isRepaired } = await host.verify(target, signal);
    expect({ found, isRepaired }).toEqual({
      found: { missing: 1, changed: 1, extra: 1 },
      isRepaired: true,
    });
    expect(bpftoolDump(id)).toEqual(dumped(contents));
  });

  it("that is too large is refused before a single element changes", async () => {
    const { name, id, target, host } = await makeMap(MapType.HASH, 10);
    await host.apply(target, await put(name, numbers(0, 8)), signal);
    const before = bpftoolDump(id);
    await expect(host.apply(target, await put(name, numbers(3, 14)), signal)).rejects.toThrow(
      /has 11 elements, map m\d+ \(id \d+\) has room for 10: nothing was changed/,
    );
    const merge = { ownership: "merge" } as const;
    const foreign = newHost(name);
    await expect(
      foreign.apply(target, await put(name, numbers(100, 103), merge), signal),
    ).rejects.toThrow("room for 10; nothing was written");
    expect(bpftoolDump(id)).toEqual(before);
  });
});

it("leaves what is others', and takes back what was its own", async () => {
  const { name, id, target, host } = await makeMap(MapType.HASH, 100);
  const map = { ref: { case: "id" as const, value: id } };
  const foreign = elementsOf([[1000, 1]]);
  await daemon.client.maps.updateElements({ map, elements: foreign });
  await host.apply(target, await put(name, numbers(0, 20), { ownership: "merge" }), signal);
  await host.apply(target, await put(name, numbers(15, 30), { ownership: "merge" }), signal);
  expect(bpftoolDump(id)).toEqual(dumped([...numbers(15, 30), [1000, 1]]));
  const { manifest } = await sets.patch(name, patchOf([[40, 4]], numbersFrom(15, 28)));
  await host.apply(target, manifest, signal);
  expect(bpftoolDump(id)).toEqual(
    dumped([
      [28, 28],
      [29, 29],
      [40, 4],
      [1000, 1],
    ]),
  );
});

it("sets what an array's set does not name to zero", async () => {
  // An array's index is in the host's byte order.
  const swapped = (key: number) => key * 2 ** 24;
  const { name, id, target, host } = await makeMap(MapType.ARRAY, 4);
  await host.apply(
    target,
    await put(name, [
      [swapped(1), 11],
      [swapped(3), 33],
    ]),
    signal,
  );
  const { manifest } = await sets.patch(name, patchOf([[swapped(0), 7]], [swapped(3)]));
  await host.apply(target, manifest, signal);
  expect([...bpftoolDump(id).values()]).toEqual(["00000007", "0000000b", "00000000", "00000000"]);
  expect((await host.verify(target, signal)).found).toEqual({ missing: 0, changed: 0, extra: 0 });
});

it("gives every CPU of a per-CPU map the value", async () => {
  const { name, target, host } = await makeMap(MapType.PERCPU_HASH, 10, { valueSize: 8 });
  const spec = { valueSize: 8 };
  await host.apply(target, await put(name, numbers(1, 4), spec), signal);
  const found = await daemon.client.maps.lookupElements({
    map: { ref: { case: "held", value: name } },
    keys: elementsOf([[2, 0]]).keys,
    count: 1,
  });
  const cpus = found.elements!.values.length / 8;
  const value = Buffer.from(elementsOf([[0, 2]], { keySize: 4, valueSize: 8 }).values);
  expect(Buffer.from(found.elements!.values)).toEqual(Buffer.concat(Array(cpus).fill(value)));
  expect((await host.verify(target, signal)).found).toEqual({ missing: 0, changed: 0, extra: 0 });
});

it("puts a new inner map with all elements into its slot of a map in map", async () => {
  const inner = await makeMap(MapType.HASH, 50);
  const outerName = `m${++count}`;
  const { map: outer } = await daemon.client.maps.createMap({
    spec: {
      ...{ type: MapType.HASH_OF_MAPS, name: outerName, keySize: 4, valueSize: 4, maxEntries: 4 },
      innerMap: { ref: { case: "held", value: inner.name } },
    },
    hold: { name: outerName },
  });
  const outerKey = Buffer.from("00000001", "hex");
  await daemon.client.maps.updateElements({
    map: { ref: { case: "id", value: outer!.id } },
    elements: {
      ...{ count: 1, keys: outerKey },
      objectValues: [{ object: { case: "map", value: { ref: { case: "id", value: inner.id } } } }],
    },
  });
  const ref = { ref: { case: "held", value: outerName } } as MapRef;
  const target = new ServedMap(daemon.client.maps, { ref, outerKey });
  const name = `m${++count}`;
  const host = newHost(name);
  await host.apply(target, await put(name, numbers(0, 20)), signal);
  const { manifest } = await sets.patch(name, patchOf([[30, 3]], [0]));
  expect(await host.apply(target, manifest, signal)).toMatchObject({ isDelta: false });
  const slot = [...bpftoolDump(outer!.id).values()][0]!;
  const now = Buffer.from(slot, "hex").readUInt32LE();
  expect(now).not.toBe(inner.id);
  expect(bpftoolDump(now)).toEqual(dumped([...numbers(1, 20), [30, 3]]));
  expect(bpftoolDump(inner.id).size).toBe(0);
  await expect(host.apply(target, await put(name, numbers(0, 51)), signal)).rejects.toThrow(
    "has room for 50: nothing was changed",
  );
});

it("makes a map that is not there, where the set says how", async () => {
  const name = `m${++count}`;
  const ref = { ref: { case: "held", value: name } } as MapRef;
  const missing = new ServedMap(daemon.client.maps, { ref });
  const manifest = await put(name, numbers(0, 5));
  await expect(newHost(name).apply(missing, manifest, signal)).rejects.toMatchObject({
    reason: "HOLD_NOT_FOUND",
  });
  const spec = { type: MapType.HASH, name, keySize: 4, valueSize: 4, maxEntries: 10 };
  const target = new ServedMap(daemon.client.maps, { ref, create: { spec, hold: { name } } });
  await newHost(name).apply(target, manifest, signal);
  const { map } = await daemon.client.maps.getMap({ map: ref });
  expect(bpftoolDump(map!.id)).toEqual(dumped(numbers(0, 5)));
});

const step = fc.record({
  kind: fc.constantFrom("put" as const, "patch" as const, "patch" as const, "drift" as const),
  puts: fc.uniqueArray(fc.nat(40), { maxLength: 25 }),
  removals: fc.uniqueArray(fc.nat(40), { maxLength: 10 }),
});

it.each([
  ["hash", MapType.HASH],
  ["LRU hash", MapType.LRU_HASH],
])(
  "agrees with bpftool after each of many random steps: %s",
  async (_, type) => {
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 12, size: "max" }),
      async (steps) => {
        const { name, id, target, host } = await makeMap(type, 1000);
        let expected = new Map(numbers(0, 10));
        await host.apply(target, await put(name, expected), signal);
        let value = 1000;
        for (const { kind, puts, removals } of steps) {
          const changes = puts.map((key) => [key, value++] as const);
          const removed = removals.filter((key) => !puts.includes(key));
          if (kind === "drift") {
            await drift(id, changes, removed);
            await host.verify(target, signal);
          } else if (kind === "put") {
            expected = new Map(changes);
            await host.apply(target, await put(name, expected), signal);
          } else {
            const { manifest } = await sets.patch(name, patchOf(changes, removed));
            for (const [key, changed] of changes) expected.set(key, changed);
            for (const key of removed) expected.delete(key);
            await host.apply(target, manifest, signal);
          }
          expect(bpftoolDump(id)).toEqual(dumped(expected));
        }
        await daemon.client.maps.releaseMap({ name });
        await sets.delete(name);
      },
    );
    await fc.assert(property, {
      numRuns: RUNS,
      ...(seed !== undefined && { seed: Number(seed) }),
      interruptAfterTimeLimit: 50_000 + RUNS * 1000,
      markInterruptAsFailure: true,
    });
  },
  120_000,
);

/** Others write to the map. */
async function drift(
  id: number,
  puts: readonly (readonly [number, number])[],
  removals: readonly number[],
): Promise<void> {
  const map = { ref: { case: "id" as const, value: id } };
  if (puts.length > 0) {
    await daemon.client.maps.updateElements({ map, elements: elementsOf(puts) });
  }
  for (const key of removals) {
    const { keys } = elementsOf([[key, 0]]);
    await daemon.client.maps.deleteElements({ map, keys, count: 1 }).catch(() => {});
  }
}

function* numbersFrom(from: number, to: number): Generator<number> {
  for (let key = from; key < to; key++) yield key;
}
