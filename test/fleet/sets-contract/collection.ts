import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Collector, KEPT_GENERATIONS, MapSets } from "#dist/fleet/sets/index.js";
import { keysUnder, type Store } from "#dist/fleet/store/index.js";
import type { StoreKind } from "../store-contract/fixture.ts";
import { FakeClock } from "../support/fake-clock.ts";
import {
  aroundTransactions,
  contentsOf,
  elementsOf,
  isCommit,
  LONG,
  numbers,
  openSets,
  patchOf,
  readSet,
  SPEC,
} from "./fixture.ts";

const GRACE_MS = 60_000;

function collectorOn(store: Store) {
  const clock = new FakeClock();
  const collector = new Collector(store, { graceMs: GRACE_MS, clock });
  /** Looks twice, with the time between that a segment has to be unnamed for. */
  const collect = async () => {
    const early = await collector.run();
    clock.pass(GRACE_MS);
    return early + (await collector.run());
  };
  return { clock, collector, collect };
}

async function segmentCount(store: Store, name = "s"): Promise<number> {
  return (await store.range({ range: keysUnder(`sets/segment/${name}/`), keysOnly: true })).count;
}

/** So many generations that the first ones are kept no longer. */
async function outlive(sets: MapSets, name = "s"): Promise<void> {
  for (let count = 0; count <= KEPT_GENERATIONS; count++) {
    await sets.patch(name, patchOf([[1, 1_000_000 + count]]));
  }
}

export function collectionCases(kind: StoreKind): void {
  test("segments go when no kept generation has named them for a while, and no others", async () => {
    const { sets, store } = await openSets(kind);
    const { collector, collect, clock } = collectorOn(store);
    await sets.put("s", SPEC, [elementsOf(numbers(0, 30_000))]);
    await sets.put("s", SPEC, [elementsOf(numbers(0, 30_000, () => 7))]);
    expect(await collect()).toBe(0);
    expect((await readSet(sets, "s", 1)).get(29_000)).toBe(29_000);
    await outlive(sets);
    const before = await segmentCount(store);
    expect(await collector.run()).toBe(0);
    clock.pass(GRACE_MS - 1);
    expect(await collector.run()).toBe(0);
    clock.pass(1);
    const removed = await collector.run();
    expect(removed).toBeGreaterThan(8);
    expect(await segmentCount(store)).toBe(before - removed);
    expect(await collect()).toBe(0);
    const expected = new Map(numbers(0, 30_000, () => 7)).set(1, 1_000_008);
    expect(await readSet(sets, "s")).toEqual(expected);
    for (let back = 1; back <= KEPT_GENERATIONS; back++) {
      const generation = (await sets.get("s")).manifest.generation - back;
      expect((await readSet(sets, "s", generation)).size).toBe(30_000);
    }
  });

  test("all segments of a deleted set go, also more than one transaction takes", async () => {
    const { sets, store } = await openSets(kind);
    const { collect } = collectorOn(store);
    await sets.put("s", LONG, [elementsOf(numbers(0, 3000), LONG)]);
    await sets.put("stays", SPEC, [elementsOf(numbers(0, 10))]);
    const count = await segmentCount(store);
    expect(count).toBeGreaterThan(200);
    await sets.delete("s");
    expect(await collect()).toBe(count);
    expect(await segmentCount(store)).toBe(0);
    expect((await readSet(sets, "stays")).size).toBe(10);
  });

  test("a writer that is about to name a segment which is collected begins anew", async () => {
    const { sets, store } = await openSets(kind);
    const { collector, clock } = collectorOn(store);
    const elements = [elementsOf(numbers(0, 20_000))];
    await sets.put("s", SPEC, elements);
    await sets.delete("s");
    await collector.run();
    clock.pass(GRACE_MS);
    // It finds all segments there, and just then they go.
    let commits = 0;
    const late = aroundTransactions(store, async (transact, transaction) => {
      if (isCommit(transaction) && ++commits === 1) {
        expect(await collector.run()).toBeGreaterThan(5);
        expect(await segmentCount(store)).toBe(0);
      }
      return transact();
    });
    await new MapSets(late).put("s", SPEC, elements);
    expect(commits).toBe(2);
    expect(await readSet(new MapSets(store), "s")).toEqual(new Map(numbers(0, 20_000)));
  });

  test("a collector whom a writer overtakes removes nothing of what that one named", async () => {
    const { sets, store } = await openSets(kind);
    const clock = new FakeClock();
    const elements = [elementsOf(numbers(0, 20_000))];
    await sets.put("s", SPEC, elements);
    await sets.delete("s");
    let isOvertaken = false;
    const slow = aroundTransactions(store, async (transact, transaction) => {
      const isRemoval = transaction.success?.some(({ do: what }) => what === "delete");
      if (isRemoval) {
        isOvertaken = true;
        await sets.put("s", SPEC, elements);
      }
      return transact();
    });
    const collector = new Collector(slow, { graceMs: GRACE_MS, clock });
    await collector.run();
    clock.pass(GRACE_MS);
    expect(await collector.run()).toBe(0);
    expect(isOvertaken).toBe(true);
    expect(await readSet(new MapSets(store), "s")).toEqual(new Map(numbers(0, 20_000)));
  });

  test("a reader goes on with what is collected meanwhile; after compaction it is told that it is gone", async () => {
    const { sets, store } = await openSets(kind);
    const { collect } = collectorOn(store);
    await sets.put("s", LONG, [elementsOf(numbers(0, 1000), LONG)]);
    const reader = new MapSets(store, { cacheBytes: 0 });
    const early = await reader.get("s");
    const chunks = reader.read(early);
    const read = [(await chunks.next()).value!];
    await sets.delete("s");
    await collect();
    expect(await segmentCount(store)).toBe(0);
    for await (const chunk of chunks) read.push(chunk);
    expect(contentsOf(read, LONG)).toEqual(new Map(numbers(0, 1000)));

    const late = reader.read(early);
    await late.next();
    const { revision } = await store.get("sets/collected/s");
    await store.compact(revision);
    const rest = async () => {
      for await (const _ of late);
    };
    await expect(rest()).rejects.toMatchObject({ code: "GONE" });
  });

  test("collectors beside writers and readers lose nothing", async () => {
    const { fresh, sets } = await openSets(kind);
    const spec = { ...SPEC, valueSize: 20_000 };
    await sets.put("s", spec, []);
    let isOver = false;
    const collect = async () => {
      const clock = new FakeClock();
      const collector = new Collector(await fresh.connect(), { graceMs: 1, clock });
      let removed = 0;
      while (!isOver) {
        await sleep(5);
        clock.pass(1);
        removed += await collector.run();
      }
      return removed;
    };
    const collecting = [collect(), collect()];
    const upkeep = { mostLayers: 3, recentLayers: 1, foldedChanges: 8, foldedShare: 0 };
    const model = new Map<number, number>();
    const writers = [0, 1, 2].map(async (writer) => {
      const own = new MapSets(await fresh.connect(), { upkeep });
      for (let round = 0; round < 12; round++) {
        const key = writer * 100 + ((round * 7) % 9);
        await own.patch(
          "s",
          patchOf([[key, round]], [writer * 100 + ((round * 5) % 9) + 10], spec),
        );
        model.set(key, round);
      }
    });
    const written = await Promise.allSettled(writers);
    isOver = true;
    const read = await readSet(new MapSets(await fresh.connect(), { cacheBytes: 0 }), "s");
    expect(written.filter(({ status }) => status === "rejected")).toEqual([]);
    const removed = await Promise.all(collecting);
    expect(new Map([...read].sort())).toEqual(new Map([...model].sort()));
    expect(removed[0]! + removed[1]!).toBeGreaterThan(0);
  }, 120_000);
}
