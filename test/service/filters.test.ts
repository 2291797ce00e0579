import { CpuFold, IncompleteReason, Projection } from "@bpfmapd/client/proto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { byKey, collect, hex, u32 } from "./support/elements.js";
import {
  makeMap,
  PLAIN_TYPES,
  type PlainMap,
  type PlainTypeName,
  sampleKey,
  sampleValue,
  shapeOf,
} from "./support/plain-map.js";

const COUNT = 500;
const KEYED = ["HASH", "ARRAY", "PERCPU_HASH", "PERCPU_ARRAY", "LRU_HASH", "LPM_TRIE"] as const;

type Element = [Buffer, Buffer];
let daemon: TestDaemon;
const stage = new Map<PlainTypeName, { map: PlainMap; elements: Element[] }>();
beforeAll(async () => {
  daemon = await startDaemon();
  for (const type of KEYED) {
    // LRU maps evict before they are full.
    const isArray = PLAIN_TYPES[type].keyed === "index";
    const map = await makeMap(daemon, shapeOf(type, { maxEntries: isArray ? COUNT : 4 * COUNT }));
    const elements = Array.from(
      { length: COUNT },
      (_, index): Element => [sampleKey(map.shape, index), sampleValue(map, index, index % 5)],
    );
    await map.handle.load(elements);
    stage.set(type, { map, elements });
  }
});
afterAll(() => daemon?.dispose());

interface Filter {
  keyPrefix?: Uint8Array;
  keyRange?: { start?: Uint8Array; end?: Uint8Array };
  valueMatch?: { mask: Uint8Array; match: Uint8Array };
}

/** Whether the contract says that a filter chooses an element. */
function isChosen(
  [key, value]: Element,
  filter: Filter,
  type: PlainTypeName,
  stride: number,
): boolean {
  const { keyPrefix, keyRange, valueMatch } = filter;
  if (keyPrefix && !key.subarray(0, keyPrefix.length).equals(keyPrefix)) return false;
  const order = (bound: Uint8Array) =>
    PLAIN_TYPES[type].keyed === "index"
      ? key.readUInt32LE() - Buffer.from(bound).readUInt32LE()
      : key.compare(bound);
  if (keyRange?.start && order(keyRange.start) < 0) return false;
  if (keyRange?.end && order(keyRange.end) >= 0) return false;
  if (!valueMatch) return true;
  const { mask, match } = valueMatch;
  const slots = Array.from({ length: stride / 8 }, (_, slot) =>
    value.subarray(slot * 8, slot * 8 + 8),
  );
  return slots.some((slot) => mask.every((bits, at) => (slot[at]! & bits) === (match[at]! & bits)));
}

describe.each(KEYED)("a dump of a %s", (type) => {
  const bytes = (most: number) =>
    fc.uint8Array({ minLength: 0, maxLength: most }).map((some) => some.map((byte) => byte % 4));
  const filters = () => {
    const { map, elements } = stage.get(type)!;
    const key = fc.nat(COUNT - 1).map((index) => Uint8Array.from(elements[index]![0]));
    const prefix = fc
      .tuple(key, fc.nat(map.shape.keySize))
      .map(([one, size]) => one.slice(0, size));
    const match = fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 8 }), bytes(8))
      .map(([mask, some]) => ({ mask, match: mask.map((_, at) => some[at] ?? 0) }));
    return fc.record(
      {
        keyPrefix: prefix,
        keyRange: fc.record({ start: key, end: key }, { requiredKeys: [] }),
        valueMatch: match,
      },
      { requiredKeys: [] },
    );
  };

  it("has the elements that a filter chooses, and CountElements counts as many", async () => {
    const { map, elements } = stage.get(type)!;
    await fc.assert(
      fc.asyncProperty(filters(), async (filter) => {
        const chosen = elements.filter((one) => isChosen(one, filter, type, map.info.valueStride));
        const dump = map.handle.dump({ filter });
        const dumped = (await collect(dump)).map(([k, v]) => [k.slice(), v.slice()] as const);
        expect(dumped.length).toBe(chosen.length);
        expect(byKey(dumped)).toEqual(byKey(chosen));
        expect(await dump.summary).toMatchObject({
          sent: BigInt(chosen.length),
          scanned: BigInt(COUNT),
          complete: true,
        });
        const counted = await map.handle.count(filter);
        expect(counted).toMatchObject({ count: BigInt(chosen.length), complete: true });
      }),
      { numRuns: 40, seed: 7 },
    );
  });

  it.each([Projection.KEYS, Projection.VALUES, Projection.KEYS_AND_VALUES])(
    "projects (%i)",
    async (projection) => {
      const { map, elements } = stage.get(type)!;
      const dump = map.handle.dump({ projection, chunkBytes: 1000 });
      const { valueStride } = await dump.header;
      const chunks = await collect(dump.chunks());
      const [noKeys, noValues] = [projection === Projection.VALUES, projection === Projection.KEYS];
      expect(valueStride).toBe(noValues ? 0 : map.info.valueStride);
      expect(chunks.reduce((sum, { count }) => sum + count, 0)).toBe(COUNT);
      const sorted = (column: Uint8Array, size: number) => {
        const all = Buffer.from(column);
        return Array.from({ length: size && all.length / size }, (_, at) =>
          hex(all.subarray(at * size, at * size + size)),
        ).sort();
      };
      const keys = Buffer.concat(chunks.map((chunk) => chunk.keys));
      const values = Buffer.concat(chunks.map((chunk) => chunk.values));
      expect(sorted(keys, map.shape.keySize)).toEqual(
        noKeys ? [] : elements.map(([key]) => hex(key)).sort(),
      );
      expect(sorted(values, valueStride)).toEqual(
        noValues ? [] : elements.map(([, value]) => hex(value)).sort(),
      );
    },
  );

  it.each([1, 2, 499, 500, 501])(
    "stops after %i elements, and says whether there are more",
    async (maxElements) => {
      const { map } = stage.get(type)!;
      const dump = map.handle.dump({ maxElements, chunkBytes: 64 });
      const sent = (await collect(dump)).length;
      expect(sent).toBe(Math.min(maxElements, COUNT));
      const complete = maxElements >= COUNT;
      const incompleteReason = complete
        ? IncompleteReason.UNSPECIFIED
        : IncompleteReason.MAX_ELEMENTS;
      expect(await dump.summary).toMatchObject({ sent: BigInt(sent), complete, incompleteReason });
    },
  );

  it.each([1, 100, 4096, 4 << 20])(
    "has at least one element in each chunk of %i bytes",
    async (chunkBytes) => {
      const { map, elements } = stage.get(type)!;
      const chunks = await collect(map.handle.dump({ chunkBytes }).chunks());
      const least = map.shape.keySize + map.info.valueStride;
      for (const { count, keys, values } of chunks) {
        expect(count).toBeGreaterThan(0);
        expect(keys.length + values.length).toBeLessThanOrEqual(Math.max(chunkBytes, least));
      }
      expect(chunks.reduce((sum, { count }) => sum + count, 0)).toBe(elements.length);
    },
  );
});

describe.each(["PERCPU_HASH", "PERCPU_ARRAY"] as const)("a dump of the CPUs of a %s", (type) => {
  const slots = (value: Buffer) =>
    Array.from({ length: value.length / 8 }, (_, slot) => value.subarray(slot * 8, slot * 8 + 8));
  const folded = (fold: CpuFold, value: Buffer): string => {
    const isWide = fold === CpuFold.SUM_U64 || fold === CpuFold.MAX_U64;
    const isSum = fold === CpuFold.SUM_U32 || fold === CpuFold.SUM_U64;
    const bits = isWide ? 64 : 32;
    const result = Buffer.alloc(8);
    for (let at = 0; at < 8; at += bits / 8) {
      const words = slots(value).map((slot) =>
        isWide ? slot.readBigUInt64LE(at) : BigInt(slot.readUInt32LE(at)),
      );
      const sum = BigInt.asUintN(
        bits,
        words.reduce((a, b) => a + b),
      );
      const [most] = words.toSorted((a, b) => (a < b ? 1 : -1)) as [bigint];
      const word = isSum ? sum : most;
      if (isWide) result.writeBigUInt64LE(word, at);
      else result.writeUInt32LE(Number(word), at);
    }
    return hex(result);
  };

  it("has one CPU's values", async () => {
    const { map, elements } = stage.get(type)!;
    for (const [place, cpu] of map.info.cpus.entries()) {
      const dumped = byKey(await collect(map.handle.dump({ cpu })));
      for (const [key, value] of elements)
        expect(dumped.get(hex(key))).toBe(hex(slots(value)[place]!));
    }
  });

  it.each([CpuFold.SUM_U32, CpuFold.SUM_U64, CpuFold.MAX_U32, CpuFold.MAX_U64])(
    "folds them (%i)",
    async (fold) => {
      const { map, elements } = stage.get(type)!;
      const dumped = byKey(await collect(map.handle.dump({ fold })));
      for (const [key, value] of elements) {
        expect(dumped.get(hex(key))).toBe(folded(fold, value));
        expect(hex((await map.handle.lookup(key, { fold }))!)).toBe(folded(fold, value));
      }
    },
  );

  it("lets sums wrap around", async () => {
    const { map, elements } = stage.get(type)!;
    const [key] = elements[3]!;
    const kept = elements[3]![1];
    await map.handle.update(key, Buffer.alloc(map.info.valueStride, 0xff));
    const sum = Buffer.from((await map.handle.lookup(key, { fold: CpuFold.SUM_U32 }))!);
    expect(sum.readUInt32LE()).toBe(2 ** 32 - map.info.cpus.length);
    await map.handle.update(key, kept);
  });
});

describe("a dump that is throttled", () => {
  it("has all elements, and tells how far it is meanwhile", async () => {
    const { map } = stage.get("HASH")!;
    const told: { scanned: bigint; sent: bigint }[] = [];
    const dump = map.handle.dump({
      maxElementsPerSecond: 1000,
      chunkBytes: 64,
      progressIntervalMs: 100,
      onProgress: ({ scanned, sent }) => told.push({ scanned, sent }),
    });
    expect((await collect(dump)).length).toBe(COUNT);
    expect(await dump.summary).toMatchObject({ complete: true, sent: BigInt(COUNT) });
    expect(told.length).toBeGreaterThan(0);
    for (const { scanned, sent } of told) expect(sent).toBeLessThanOrEqual(scanned);
    expect(told.map(({ scanned }) => scanned)).toEqual(
      told.map(({ scanned }) => scanned).sort((a, b) => Number(a - b)),
    );
  });

  it("ends when it is left, though it would last for minutes", async () => {
    const { map } = stage.get("HASH")!;
    const dump = map.handle.dump({ maxElementsPerSecond: 2, chunkBytes: 1 });
    for await (const [key] of dump) {
      expect(key.length).toBe(4);
      break;
    }
    await expect(dump.summary).rejects.toMatchObject({ message: "the dump was left early" });
    expect(await map.handle.lookup(u32(1))).toBeDefined();
  });
});
