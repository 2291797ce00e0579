import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { systemClock } from "#dist/fleet/index.js";
import { FileShelf, FileState, SetAgent, type SetStatus } from "#dist/fleet/reconcile/index.js";
import type { Manifest, MapSets } from "#dist/fleet/sets/index.js";
import { unlessAborted } from "#dist/fleet/unless-aborted.js";
import { elementsOf, numbers, openSets, patchOf, SPEC } from "../sets-contract/fixture.ts";
import { embedded, storeDirectory } from "../support/embedded.ts";
import { SimulatedMap } from "./support/simulated-map.ts";

/** Of the store, since which a host is to have what it is told next. */
let revision = 0;

/** A host's agent on a disk, with a simulated map for each set. */
function startAgent(sets: MapSets, directory: string, maps = new Map<string, SimulatedMap>()) {
  const statuses = new Map<string, SetStatus>();
  let isCut = false;
  const agent = new SetAgent({
    state: new FileState(directory),
    shelf: new FileShelf(directory),
    fetch: async (set, hash, signal) => {
      if (!isCut) return sets.segment(set, hash);
      // The answer does not come as long as somebody waits for it.
      return unlessAborted(new Promise<Uint8Array>(() => {}), signal);
    },
    open: ({ name }: Manifest) => {
      const map = maps.get(name) ?? new SimulatedMap(1000);
      maps.set(name, map);
      return map;
    },
    onStatus: (status) => statuses.set(status.set, status),
    clock: systemClock,
    now: Date.now,
    verifyMs: 50,
  });
  onTestFinished(() => agent.stop());
  const cut = () => {
    isCut = true;
  };
  const untilApplied = (set: string, generation: number) =>
    vi.waitFor(() => expect(statuses.get(set)?.applied).toBe(generation), { timeout: 10_000 });
  return { agent, maps, statuses, cut, untilApplied };
}

async function put(sets: MapSets, name: string, from: number, to: number): Promise<Manifest> {
  return (await sets.put(name, SPEC, [elementsOf(numbers(from, to))])).manifest;
}

test("a new generation is applied at once, and an older one that is told late is not heeded", async () => {
  const { sets } = await openSets(embedded);
  const { agent, maps, untilApplied } = startAgent(sets, storeDirectory());
  const first = await put(sets, "s", 0, 10);
  const second = await put(sets, "s", 5, 20);
  await agent.want(second, 2n);
  await untilApplied("s", 2);
  await agent.want(first, 1n);
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(maps.get("s")?.elements).toEqual(new Map(numbers(5, 20)));
});

test("after a restart it goes on from its disk, without a relay, and repairs", async () => {
  const { sets } = await openSets(embedded);
  const directory = storeDirectory();
  const before = startAgent(sets, directory);
  const manifest = await put(sets, "s", 0, 10);
  await before.agent.want(manifest, BigInt(++revision));
  await before.untilApplied("s", 1);
  await before.agent.stop();
  const { agent, cut, maps, statuses, untilApplied } = startAgent(sets, directory, before.maps);
  cut();
  maps.get("s")!.elements.delete(3);
  await agent.want(manifest, BigInt(++revision));
  await untilApplied("s", 1);
  await vi.waitFor(() => expect(maps.get("s")?.elements.size).toBe(10));
  expect(statuses.get("s")?.lastDrift).toMatchObject({ missing: 1 });
});

test("a set that goes while its segments do not come is let go of, and others go on", async () => {
  const { sets } = await openSets(embedded);
  const { agent, cut, maps, untilApplied } = startAgent(sets, storeDirectory());
  await agent.want(await put(sets, "kept", 0, 10), BigInt(++revision));
  await untilApplied("kept", 1);
  cut();
  await agent.want(await put(sets, "lacking", 100, 110), BigInt(++revision));
  await agent.unwant("lacking");
  expect(maps.get("lacking")?.elements.size ?? 0).toBe(0);
  maps.get("kept")!.elements.clear();
  await vi.waitFor(() => expect(maps.get("kept")?.elements.size).toBe(10));
});

test("the disk has what the sets of now have, and a file that is torn is fetched anew", async () => {
  const { sets } = await openSets(embedded);
  const directory = storeDirectory();
  const { agent, untilApplied, maps } = startAgent(sets, directory);
  const files = () => readdirSync(join(directory, "segments")).sort();
  await agent.want(await put(sets, "s", 0, 10), BigInt(++revision));
  await untilApplied("s", 1);
  const first = files();
  await agent.want(await put(sets, "s", 100, 110), BigInt(++revision));
  await untilApplied("s", 2);
  await vi.waitFor(() => expect(files().filter((file) => first.includes(file))).toEqual([]));
  for (const file of files()) writeFileSync(join(directory, "segments", file), "torn");
  maps.get("s")!.elements.clear();
  await vi.waitFor(() => expect(maps.get("s")?.elements.size).toBe(10));
  await agent.wantOnly(new Set());
  await vi.waitFor(() => expect(files()).toEqual([]));
  expect(readdirSync(join(directory, "sets"))).toEqual([]);
});

test("one that has been folded meanwhile is kept in its new form", async () => {
  const { sets } = await openSets(embedded, {
    upkeep: { foldedChanges: 1, foldedShare: 0, recentLayers: 0 },
  });
  const { agent, untilApplied, maps } = startAgent(sets, storeDirectory());
  await put(sets, "s", 0, 10);
  await agent.want((await sets.patch("s", patchOf([[3, 33]]))).manifest, BigInt(++revision));
  await untilApplied("s", 2);
  const { manifest } = await sets.patch("s", patchOf([[4, 44]]));
  expect(manifest.base.generation).toBe(2);
  await agent.want(manifest, BigInt(++revision));
  await untilApplied("s", 3);
  expect(maps.get("s")?.elements.get(4)).toBe(44);
});
