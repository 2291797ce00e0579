import { LoadStrategy } from "@bpfmapd/client/proto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { byKey, collect, hex, u32, u64 } from "./support/elements.js";
import {
  makeMap,
  PLAIN_TYPES,
  type PlainMap,
  sampleKey,
  sampleValue,
  shapeOf,
} from "./support/plain-map.js";

const MERGE = LoadStrategy.MERGE;
const REPLACE = LoadStrategy.REPLACE;
type Element = [Buffer, Buffer];

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
});
afterAll(() => daemon?.dispose());

async function contentsOf(map: PlainMap): Promise<Map<string, string>> {
  return byKey(
    (await collect(map.handle.dump())).map(([key, value]) => [key.slice(), value.slice()] as const),
  );
}

function* numbered(
  from: number,
  to: number,
  change = (index: number) => index,
): Generator<Element> {
  for (let index = from; index < to; index++) yield [u32(index), u64(change(index))];
}

/** What a load counts; a key that comes twice was changed where either of its values changes it. */
function predict(before: Map<string, string>, elements: Element[], isArray: boolean, zero: string) {
  const now = new Map(before);
  const changed = new Set<string>();
  for (const [key, value] of elements.map(([k, v]) => [hex(k), hex(v)] as const)) {
    if (before.has(key) && now.get(key) !== value) changed.add(key);
    now.set(key, value);
  }
  const stream = byKey(elements);
  const there = [...stream.keys()].filter((key) => before.has(key)).length;
  const gone = [...before].filter(
    ([key, value]) => !stream.has(key) && !(isArray && value === zero),
  );
  return {
    added: BigInt(stream.size - there),
    changed: BigInt(changed.size),
    unchanged: BigInt(there - changed.size),
    removed: BigInt(gone.length),
  };
}

describe.each(["HASH", "ARRAY", "PERCPU_HASH", "PERCPU_ARRAY", "LPM_TRIE"] as const)(
  "a load into a %s",
  (type) => {
    const isArray = PLAIN_TYPES[type].keyed === "index";

    it("does what the model does, whatever was there before", async () => {
      const map = await makeMap(daemon, shapeOf(type, { maxEntries: 40 }));
      const zero = hex(Buffer.alloc(map.info.valueStride));
      const elements = fc.array(fc.tuple(fc.nat(39), fc.nat(2)), { maxLength: 60 });
      const build = (pairs: readonly (readonly [number, number])[]) =>
        pairs.map(
          ([index, seed]): Element => [sampleKey(map.shape, index), sampleValue(map, index, seed)],
        );
      const load = fc.record({
        pairs: elements,
        strategy: fc.constantFrom(MERGE, REPLACE),
        dryRun: fc.boolean(),
        chunkBytes: fc.constantFrom(1, 100, 100_000),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(load, { minLength: 1, maxLength: 5 }), async (loads) => {
          for (const { pairs, ...options } of loads) {
            const before = await contentsOf(map);
            const stream = byKey(build(pairs));
            const answer = await map.handle.load(build(pairs), options);
            const predicted = predict(before, build(pairs), isArray, zero);
            const isReplace = options.strategy === REPLACE;
            expect(answer.received).toBe(BigInt(pairs.length));
            if (isReplace || options.dryRun) {
              const { removed, ...counts } = predicted;
              expect(answer).toMatchObject(counts);
              expect(answer.removed).toBe(isReplace ? removed : undefined);
            }
            if (options.dryRun) expect(answer.written).toBe(0n);
            const kept = isReplace && !isArray ? [] : [...before];
            const base = isReplace && isArray ? kept.map(([key]) => [key, zero] as const) : kept;
            const expected = options.dryRun ? before : new Map([...base, ...stream]);
            expect(await contentsOf(map)).toEqual(expected);
          }
        }),
        { numRuns: 15, seed: 11 },
      );
    });
  },
);

describe("a load of many elements", () => {
  it("writes a million, all of which a dump reads", async () => {
    const count = 1_000_000;
    const map = await makeMap(daemon, shapeOf("HASH", { maxEntries: count }));
    const answer = await map.handle.load(numbered(0, count), { chunkBytes: 1 << 20 });
    expect(answer).toMatchObject({ received: BigInt(count), written: BigInt(count) });
    const seen = new Uint8Array(count);
    const dump = map.handle.dump();
    for await (const { count: some, keys, values } of dump.chunks()) {
      const [k, v] = [Buffer.from(keys), Buffer.from(values)];
      for (let at = 0; at < some; at++) {
        const index = k.readUInt32LE(at * 4);
        if (v.readUInt32LE(at * 8) !== index) expect.fail(`element ${index} has another's value`);
        seen[index]!++;
      }
    }
    expect(seen.every((times) => times === 1)).toBe(true);
    expect(await dump.summary).toMatchObject({ complete: true, sent: BigInt(count) });
  });

  it("replaces a half-different map with exact counts", async () => {
    const count = 100_000;
    const map = await makeMap(daemon, shapeOf("HASH", { maxEntries: count }));
    await map.handle.load(numbered(0, count));
    // A half of the keys goes, as many come, and of those that stay a half changes.
    const half = count / 2;
    const change = (index: number) => (index < count && index % 2 === 1 ? index + 1 : index);
    const stream = () => numbered(half, count + half, change);
    const counts = {
      received: BigInt(count),
      added: BigInt(half),
      changed: BigInt(half / 2),
      unchanged: BigInt(half / 2),
      removed: BigInt(half),
    };
    const dry = await map.handle.load(stream(), { strategy: REPLACE, dryRun: true });
    expect(dry).toMatchObject({ ...counts, written: 0n });
    const answer = await map.handle.load(stream(), { strategy: REPLACE });
    expect(answer).toMatchObject({ ...counts, written: BigInt(half + half / 2) });
    expect(await contentsOf(map)).toEqual(byKey(stream()));
    const again = await map.handle.load(stream(), { strategy: REPLACE });
    expect(again).toMatchObject({ written: 0n, unchanged: BigInt(count), removed: 0n });
  });

  it("fills maps beside each other, each with its own elements", async () => {
    const maps = await Promise.all(
      Array.from({ length: 6 }, () => makeMap(daemon, shapeOf("HASH", { maxEntries: 20_000 }))),
    );
    const of = (place: number) => numbered(0, 20_000, (index) => index * 10 + place);
    await Promise.all(maps.map((map, place) => map.handle.load(of(place), { chunkBytes: 10_000 })));
    for (const [place, map] of maps.entries())
      expect(await contentsOf(map)).toEqual(byKey(of(place)));
  });
});

describe("a load that is cut", () => {
  class Cut extends Error {}
  const cuts: [how: string, cut: (abort: AbortController) => void][] = [
    [
      "by the source of its elements",
      () => {
        throw new Cut();
      },
    ],
    ["by its caller", (abort) => abort.abort(new Cut())],
  ];

  it.each(cuts)("%s removes nothing, and keeps what was written", async (_how, cut) => {
    const map = await makeMap(daemon, shapeOf("HASH", { maxEntries: 2000 }));
    await map.handle.load(numbered(0, 1000));
    for (let round = 0; round < 20; round++) {
      const abort = new AbortController();
      async function* stream() {
        yield* numbered(1000, 1000 + round * 40);
        cut(abort);
        yield* numbered(1800, 1900);
      }
      const load = map.handle.load(stream(), {
        strategy: REPLACE,
        chunkBytes: 240,
        signal: abort.signal,
      });
      await expect(load).rejects.toThrow();
    }
    const contents = await contentsOf(map);
    for (const [key] of numbered(0, 1000)) expect(contents.has(hex(key))).toBe(true);
  });

  it("by its deadline removes nothing", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.load(numbered(0, 500));
    async function* stalled() {
      yield* numbered(500, 600);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
    const load = map.handle.load(stalled(), {
      strategy: REPLACE,
      chunkBytes: 120,
      deadlineMs: 300,
    });
    await expect(load).rejects.toThrow();
    const contents = await contentsOf(map);
    for (const [key] of numbered(0, 500)) expect(contents.has(hex(key))).toBe(true);
  });
});
