import { expect, test } from "vitest";
import {
  type Changes,
  Contents,
  KEPT_GENERATIONS,
  layersSince,
  MapSets,
  type MapSetsOptions,
} from "#dist/fleet/sets/index.js";
import { keysUnder, type Store } from "#dist/fleet/store/index.js";
import type { StoreKind } from "../store-contract/fixture.ts";
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
  sorted,
} from "./fixture.ts";

/** So that small sets are folded and merged often. */
const OFTEN: MapSetsOptions["upkeep"] = {
  mostLayers: 4,
  recentLayers: 2,
  foldedChanges: 30,
  foldedShare: 1 / 8,
};

/** The store with the bytes that go to it and come from it counted. */
function counting(store: Store) {
  const counts = { written: 0, read: 0 };
  const counted = aroundTransactions(store, (transact, { success = [] }) => {
    for (const one of success) if (one.do === "put") counts.written += one.value.length;
    return transact();
  });
  const get: Store["get"] = async (...args) => {
    const answer = await store.get(...args);
    counts.read += answer.entry?.value.length ?? 0;
    return answer;
  };
  return { counts, store: Object.assign(Object.create(counted), { get }) as Store };
}

export function patchCases(kind: StoreKind): void {
  test("changes what it says, tells what became of it, and leaves all else", async () => {
    const { sets } = await openSets(kind);
    await sets.put("s", SPEC, [elementsOf(numbers(0, 10))]);
    const patch = patchOf(
      [
        [3, 3],
        [4, 44],
        [20, 20],
      ],
      [5, 99],
    );
    const { manifest, ...counts } = await sets.patch("s", patch, { expected: 1 });
    expect(counts).toEqual({ isNew: true, added: 1, changed: 1, removed: 1, unchanged: 2 });
    expect(manifest).toMatchObject({ generation: 2, count: 10 });
    const expected = new Map(numbers(0, 10)).set(4, 44).set(20, 20);
    expected.delete(5);
    expect([...(await readSet(sets, "s"))]).toEqual([...expected]);
    expect(await readSet(sets, "s", 1)).toEqual(new Map(numbers(0, 10)));
  });

  test("one that changes nothing makes no new generation", async () => {
    const { sets } = await openSets(kind);
    const { manifest } = await sets.put("s", SPEC, [elementsOf(numbers(0, 10))]);
    const patch = patchOf([[3, 3]], [99]);
    expect(await sets.patch("s", patch)).toMatchObject({ manifest, isNew: false, unchanged: 2 });
    const other = await sets.patch("s", { spec: { drift: "report" } });
    expect(other).toMatchObject({ isNew: true, manifest: { generation: 2, drift: "report" } });
    expect(other.manifest.digest).toBe(manifest.digest);
  });

  test("refuses what it cannot do, and changes nothing", async () => {
    const { sets } = await openSets(kind);
    await expect(sets.patch("s", patchOf([[1, 1]]))).rejects.toMatchObject({ code: "NOT_FOUND" });
    await sets.put("s", SPEC, [elementsOf(numbers(0, 10))]);
    const invalid = { code: "INVALID_ARGUMENT" };
    await expect(sets.patch("s", patchOf([[1, 1]], [1]))).rejects.toMatchObject(invalid);
    await expect(
      sets.patch("s", { removals: { count: 2 ** 40, keys: new Uint8Array(4) } }),
    ).rejects.toMatchObject({ ...invalid, field: "removals.keys" });
    await expect(sets.patch("s", patchOf([[1, 1]]), { expected: 2 })).rejects.toMatchObject({
      code: "GENERATION_CONFLICT",
      generation: 1,
    });
    expect((await sets.get("s")).manifest.generation).toBe(1);
  });

  test("one of 100 elements writes little to a set of a million, and reads no more than it must", async () => {
    const { fresh, sets } = await openSets(kind);
    const chunks = Array.from({ length: 100 }, (_, index) =>
      elementsOf(numbers(index * 10_000, (index + 1) * 10_000)),
    );
    await sets.put("s", SPEC, chunks);
    const { counts, store } = counting(await fresh.connect());
    const other = new MapSets(store);
    const puts = numbers(0, 100, (key) => key + 1);
    await other.patch("s", patchOf([...puts].map(([key, value]) => [key * 10_000, value])));
    expect(counts.written).toBeLessThan(20_000);
    // Each key is in another segment of about 2500 elements; the set has 8 MB.
    expect(counts.read).toBeLessThan(100 * 4096 * 8 + 100_000);
    const near = counts.read;
    await other.patch("s", patchOf(numbers(5000, 5100, () => 1)));
    expect(counts.read - near).toBeLessThan(3 * 4096 * 8);
    const read = await readSet(sets, "s");
    expect(read.size).toBe(1_000_000);
    expect([read.get(990_000), read.get(5050), read.get(5200)]).toEqual([100, 1, 5200]);
  }, 120_000);

  test("patches that race without an expected generation are all done", async () => {
    const { fresh, sets } = await openSets(kind);
    await sets.put("s", SPEC, []);
    const controllers = await Promise.all(
      Array.from({ length: 4 }, async () => new MapSets(await fresh.connect(), { upkeep: OFTEN })),
    );
    await Promise.all(
      controllers.map(async (one, index) => {
        for (let count = 0; count < 10; count++) {
          await one.patch("s", patchOf([[index * 100 + count, count]]));
        }
      }),
    );
    expect((await sets.get("s")).manifest).toMatchObject({ generation: 41, count: 40 });
    const expected = [0, 100, 200, 300].flatMap((from) => [
      ...numbers(from, from + 10, (key) => key % 100),
    ]);
    expect(await readSet(sets, "s")).toEqual(new Map(expected));
  });

  test("folding leaves segments without changes as they are, and makes what a put would", async () => {
    const { sets, store } = await openSets(kind, { upkeep: { foldedChanges: 1, foldedShare: 0 } });
    await sets.put("s", LONG, [elementsOf(numbers(0, 2000), LONG)]);
    const segments = async () =>
      (await store.range({ range: keysUnder("sets/segment/s/"), keysOnly: true })).count;
    const before = await segments();
    await sets.patch("s", patchOf([[700, 7]], [1500], LONG));
    expect((await sets.get("s")).manifest.layers).toHaveLength(1);
    // The next one folds what is there.
    await sets.patch("s", patchOf([[9000, 9]], [], LONG));
    const { manifest } = await sets.get("s");
    expect(manifest).toMatchObject({
      generation: 3,
      count: 2000,
      base: { generation: 2, count: 1999 },
    });
    expect((await segments()) - before).toBeLessThan(20);
    const contents = new Map(numbers(0, 2000)).set(700, 7);
    contents.delete(1500);
    const put = await sets.put("t", LONG, [elementsOf(contents, LONG)]);
    expect(put.manifest.base.pages).toEqual(manifest.base.pages);
  });

  test("what a patch folds, merges and keeps is always what a host needs to follow", async () => {
    const { sets } = await openSets(kind, { upkeep: OFTEN });
    const followed = new Map<number, Map<number, number>>();
    const expected = new Map(numbers(0, 60));
    await sets.put("s", SPEC, [elementsOf(expected)]);
    followed.set(1, new Map(expected));
    for (let round = 0; round < 40; round++) {
      const key = (round * 17) % 80;
      const removed = (round * 29) % 80;
      const removals = removed === key ? [] : [removed];
      const { manifest, isNew } = await sets.patch("s", patchOf([[key, 1000 + round]], removals));
      expected.set(key, 1000 + round);
      for (const one of removals) expected.delete(one);
      expect(isNew).toBe(true);
      expect(manifest.count).toBe(expected.size);
      followed.set(manifest.generation, new Map(expected));
      expect([...(await readSet(sets, "s"))]).toEqual([...sorted(expected)]);
      const { generation } = manifest;
      let reachable = 0;
      for (const [earlier, contents] of followed) {
        const layers = layersSince(manifest, earlier);
        if (layers === undefined) continue;
        reachable++;
        const source = { get: (hash: string) => sets.segment("s", hash) };
        const changes = await new Contents(manifest, source).changes(layers);
        expect(sorted(applied(contents, changes))).toEqual(sorted(expected));
      }
      // One who is two generations behind finds the way, whatever was folded since.
      expect(reachable).toBeGreaterThanOrEqual(Math.min(3, generation));
      const kept = Math.max(1, generation - KEPT_GENERATIONS);
      expect(await readSet(sets, "s", kept)).toEqual(sorted(followed.get(kept)!));
      if (kept > 1) {
        const gone = sets.get("s", { generation: kept - 1 });
        await expect(gone).rejects.toMatchObject({ code: "NOT_FOUND" });
      }
    }
  });

  test("one that is cut off after it was done is not done again, and is known to be done", async () => {
    const { store, sets } = await openSets(kind);
    await sets.put("s", SPEC, [elementsOf(numbers(0, 10))]);
    let isCut = false;
    const cutting = aroundTransactions(store, async (transact, transaction) => {
      const answer = await transact();
      if (!isCommit(transaction) || isCut) return answer;
      isCut = true;
      // Another one follows before the first has found out.
      await sets.patch("s", patchOf([[1, 111]]));
      throw Object.assign(await unavailable(), { maybeApplied: true });
    });
    const { manifest } = await new MapSets(cutting).patch("s", patchOf([[1, 11]]), { expected: 1 });
    expect(manifest.generation).toBe(2);
    expect((await sets.get("s")).manifest.generation).toBe(3);
    expect((await readSet(sets, "s")).get(1)).toBe(111);
  });
}

async function unavailable(): Promise<Error> {
  const { StoreError } = await import("#dist/fleet/store/index.js");
  return new StoreError("UNAVAILABLE", "cut off");
}

function applied(contents: ReadonlyMap<number, number>, changes: Changes): Map<number, number> {
  const result = new Map(contents);
  const puts = contentsOf([changes]);
  for (const [index, [key, value]] of [...puts].entries()) {
    if (changes.removed[index]) result.delete(key);
    else result.set(key, value);
  }
  return result;
}
