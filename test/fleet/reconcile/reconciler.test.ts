import { expect, test } from "vitest";
import { Reconciler, SegmentLibrary, UnfitError } from "#dist/fleet/reconcile/index.js";
import type { MapSets, Ownership } from "#dist/fleet/sets/index.js";
import { elementsOf, numbers, openSets, patchOf, SPEC } from "../sets-contract/fixture.ts";
import { embedded } from "../support/embedded.ts";
import { MemoryDisk } from "./support/memory-state.ts";
import { Crash, SimulatedMap } from "./support/simulated-map.ts";

const { signal } = new AbortController();

/** A host with a disk, which can be restarted, and sets on a store of their own. */
async function startHost(capacity = 100) {
  const { sets } = await openSets(embedded);
  const disk = new MemoryDisk();
  const fetched: string[] = [];
  const library = new SegmentLibrary(disk, (set, hash) => {
    fetched.push(hash);
    return sets.segment(set, hash);
  });
  const restart = () => new Reconciler("s", library, disk, disk.records.get("s"));
  return { sets, disk, fetched, map: new SimulatedMap(capacity), restart };
}

async function put(
  sets: MapSets,
  contents: Iterable<readonly [number, number]>,
  ownership: Ownership = "exclusive",
) {
  return (await sets.put("s", { ...SPEC, ownership }, [elementsOf(contents)])).manifest;
}

test("puts come before removals", async () => {
  const { sets, map, restart } = await startHost();
  for (const key of [1, 2, 3]) map.elements.set(key, 0);
  await restart().apply(
    map,
    await put(sets, [
      [2, 0],
      [3, 7],
      [9, 9],
    ]),
    signal,
  );
  expect(map.writes).toEqual(["put 3", "put 9", "remove 1"]);
  expect(map.elements).toEqual(
    new Map([
      [2, 0],
      [3, 7],
      [9, 9],
    ]),
  );
});

test("what has changed since is written without a look at the map, and only its segments are fetched", async () => {
  const { sets, map, restart, fetched } = await startHost(20_000);
  const host = restart();
  await host.apply(map, await put(sets, numbers(0, 10_000)), signal);
  const { reads } = map;
  fetched.length = 0;
  map.writes = [];
  await sets.patch(
    "s",
    patchOf(
      [
        [3, 33],
        [10_001, 1],
      ],
      [7],
    ),
  );
  const { manifest } = await sets.patch("s", patchOf([[3, 34]], [8]));
  expect(await host.apply(map, manifest, signal)).toMatchObject({ isDelta: true });
  expect(map.writes).toEqual(["put 3", "put 10001", "remove 7", "remove 8"]);
  expect(map.reads).toBe(reads);
  expect(fetched).toHaveLength(2);
  expect(host.applied).toEqual(manifest);
});

test("a set that the map has no room for is refused before an element changes", async () => {
  const { sets, map, restart } = await startHost(10);
  const host = restart();
  await host.apply(map, await put(sets, numbers(0, 5)), signal);
  map.writes = [];
  const { manifest: patched } = await sets.patch("s", patchOf(numbers(5, 11)));
  await expect(host.apply(map, patched, signal)).rejects.toThrow(
    'map set "s" has 11 elements, map 1 has room for 10: nothing was changed',
  );
  await expect(host.apply(map, await put(sets, numbers(20, 31)), signal)).rejects.toThrow("room");
  expect(map.writes).toEqual([]);
});

test("elements of others take room, and are left where only own ones are to be changed", async () => {
  const { sets, map, restart } = await startHost(10);
  for (const [key, value] of numbers(100, 106)) map.elements.set(key, value);
  const host = restart();
  await host.apply(map, await put(sets, numbers(0, 4), "merge"), signal);
  expect(map.elements.size).toBe(10);
  const before = new Map(map.elements);
  const { manifest } = await sets.patch("s", patchOf([[4, 4]]));
  await expect(host.apply(map, manifest, signal)).rejects.toThrow("beside elements of others");
  const whole = await put(sets, numbers(50, 55), "merge");
  await expect(host.apply(map, whole, signal)).rejects.toThrow("no room");
  expect(map.elements).toEqual(before);
});

test("where the new elements fit only after the old are gone, both are had in the end", async () => {
  const { sets, map, restart } = await startHost(10);
  const host = restart();
  await host.apply(map, await put(sets, numbers(0, 10)), signal);
  const { manifest } = await sets.patch("s", patchOf(numbers(10, 16), [0, 1, 2, 3, 4, 5]));
  await host.apply(map, manifest, signal);
  expect(map.elements).toEqual(new Map(numbers(6, 16)));
});

test("own elements that a newer generation has not are removed, also after a restart in the middle", async () => {
  const { sets, map, restart } = await startHost();
  map.elements.set(1000, 1);
  await restart().apply(map, await put(sets, numbers(0, 6), "merge"), signal);
  map.fuse = 2;
  const second = await put(sets, numbers(4, 12), "merge");
  await expect(restart().apply(map, second, signal)).rejects.toThrow(Crash);
  map.fuse = undefined;
  // It never came whole, and is superseded: what of it is there has to go, too.
  await restart().apply(map, await put(sets, numbers(20, 22), "merge"), signal);
  expect(map.elements).toEqual(new Map([[1000, 1], ...numbers(20, 22)]));
});

test("a delta that was interrupted is gone on with", async () => {
  const { sets, map, restart } = await startHost();
  const host = restart();
  await host.apply(map, await put(sets, numbers(0, 10), "merge"), signal);
  const { manifest } = await sets.patch("s", patchOf(numbers(10, 14), [0, 1]));
  map.fuse = 5;
  await expect(host.apply(map, manifest, signal)).rejects.toThrow(Crash);
  map.fuse = undefined;
  const next = await sets.patch("s", patchOf([], [12]));
  expect(await restart().apply(map, next.manifest, signal)).toMatchObject({ isDelta: true });
  expect(map.elements).toEqual(new Map([...numbers(2, 12), [13, 13]]));
});

test("additive sets remove nothing", async () => {
  const { sets, map, restart } = await startHost();
  map.elements.set(1000, 1);
  const host = restart();
  await host.apply(map, await put(sets, numbers(0, 4), "additive"), signal);
  const { manifest } = await sets.patch("s", patchOf([[9, 9]], [0]));
  await host.apply(map, manifest, signal);
  await host.apply(map, await put(sets, [[2, 22]], "additive"), signal);
  const expected = new Map([...numbers(0, 4), [9, 9], [1000, 1]] as [number, number][]);
  expect(map.elements).toEqual(expected.set(2, 22));
  expect(map.writes.filter((write) => write.startsWith("remove"))).toEqual([]);
});

test("what others have changed is repaired, or only told, as the set says", async () => {
  const { sets, map, restart } = await startHost();
  const host = restart();
  const contents = new Map(numbers(0, 10));
  await host.apply(map, await put(sets, contents), signal);
  const drift = () => {
    map.elements.delete(1);
    map.elements.set(2, 22).set(3, 33).set(500, 1).set(501, 1).set(502, 1);
  };
  drift();
  const found = { missing: 1, changed: 2, extra: 3 };
  expect(await host.verify(map, signal)).toMatchObject({ found, isRepaired: true });
  expect(map.elements).toEqual(contents);
  expect((await host.verify(map, signal)).found).toEqual({ missing: 0, changed: 0, extra: 0 });
  const { manifest } = await sets.patch("s", { spec: { drift: "report" } });
  await host.apply(map, manifest, signal);
  drift();
  expect(await host.verify(map, signal)).toMatchObject({ found, isRepaired: false });
  expect(map.elements.get(500)).toBe(1);
});

test("a map that was made anew is filled, whatever the set says of drift", async () => {
  const { sets, map, restart } = await startHost();
  const host = restart();
  await sets.put("s", { ...SPEC, drift: "report" }, [elementsOf(numbers(0, 10))]);
  await host.apply(map, (await sets.get("s")).manifest, signal);
  map.elements.clear();
  map.identity = "map 2";
  await host.verify(map, signal);
  expect(map.elements).toEqual(new Map(numbers(0, 10)));
});

test("a set for other sizes is refused, and says which", async () => {
  const { sets, map, restart } = await startHost();
  await sets.put("s", { ...SPEC, valueSize: 8 }, []);
  const { manifest } = await sets.get("s");
  await expect(restart().apply(map, manifest, signal)).rejects.toThrow("4+8 bytes, map 1 has 4+4");
});

test("beside elements of others, what is removed makes room for what is put", async () => {
  const { sets, map, restart } = await startHost(4);
  map.elements.set(1000, 0);
  const host = restart();
  await host.apply(map, await put(sets, numbers(1, 4), "merge"), signal);
  const { manifest } = await sets.patch("s", patchOf([[4, 4]], [2]));
  expect(await host.apply(map, manifest, signal)).toMatchObject({ isDelta: true });
  expect([...map.elements.keys()].sort()).toEqual([1, 1000, 3, 4]);
});

test("what a set without removals lacks room for is refused whole, also where it does not grow", async () => {
  const { sets, map, restart } = await startHost(3);
  const host = restart();
  await host.apply(map, await put(sets, numbers(1, 4), "additive"), signal);
  const before = new Map(map.elements);
  const puts: [number, number][] = [
    [1, 77],
    [4, 4],
  ];
  const { manifest } = await sets.patch("s", patchOf(puts, [2]));
  await expect(host.apply(map, manifest, signal)).rejects.toThrow(UnfitError);
  expect(map.elements).toEqual(before);
  expect(host.applied?.generation).toBe(1);
});

test("a map that is made anew while it is written to is not taken for one that has it all", async () => {
  const { sets, map, restart } = await startHost();
  const host = restart();
  await host.apply(map, await put(sets, numbers(1, 4)), signal);
  const { manifest } = await sets.patch("s", patchOf([[9, 9]]));
  const write = map.put.bind(map);
  map.put = async (elements) => {
    map.elements.clear();
    map.identity = "map 2";
    await write(elements);
  };
  await expect(host.apply(map, manifest, signal)).rejects.toThrow("made anew");
  map.put = write;
  expect(await host.apply(map, manifest, signal)).toMatchObject({ isDelta: false });
  expect([...map.elements.keys()].sort()).toEqual([1, 2, 3, 9]);
});
