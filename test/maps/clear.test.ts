import { beforeAll, describe, expect, it } from "vitest";
import { mapFreeze } from "#dist/kernel/index.js";
import { clearMap, type MapHost, peekElement, pushElements } from "#dist/maps/index.js";
import type { ClearArgs } from "#dist/maps/scan/clear-job.js";
import { resultOf } from "#dist/maps/threads/thread-pool.js";
import { startChurn } from "./support/churn.js";
import { byKey, range, u32 } from "./support/elements.js";
import { startHost } from "./support/host.js";
import {
  Hand,
  type KernelMap,
  makeMap,
  type Shape,
  WALKABLE,
  type Walkable,
  withoutBatches,
} from "./support/kernel-map.js";
import { expectFailure } from "./support/outcome.js";

let host: MapHost;
beforeAll(async () => {
  const started = await startHost();
  host = started.host;
  return started.close;
});

const signal = new AbortController().signal;
const clear = ({ id }: KernelMap) => clearMap(host, { by: "id", id }, signal);

function filled(type: Walkable, count: number, shape: Shape = {}) {
  const map = makeMap(type, { maxEntries: count, ...shape });
  const hand = new Hand(map);
  for (const [key, value] of range(map.layout, 0, count, map.target.keyKind)) {
    hand.update(key, value);
  }
  return { map, hand };
}

describe("ClearMap", () => {
  it.each(WALKABLE.filter((type) => !type.endsWith("ARRAY")))(
    "removes every element of a %s and counts them",
    async (type) => {
      const { map, hand } = filled(type, 5000, { maxEntries: 20_000 });
      expect(await clear(map)).toEqual({ removed: 5000 });
      expect(hand.keys()).toEqual([]);
      expect(await clear(map)).toEqual({ removed: 0 });
    },
  );

  it.each(["ARRAY", "PERCPU_ARRAY"] as const)(
    "sets every element of a %s to zero",
    async (type) => {
      const { map, hand } = filled(type, 5000, { valueSize: 3 });
      expect(await clear(map)).toEqual({ removed: 5000 });
      const zero = "00".repeat(map.layout.valueStride);
      expect(new Set(hand.contents().values())).toEqual(new Set([zero]));
    },
  );

  it.each(["QUEUE", "STACK"] as const)("empties a %s", async (type) => {
    const map = makeMap(type, { keySize: 0, maxEntries: 3000 });
    const ref = { by: "id", id: map.id } as const;
    const values = Buffer.alloc(3000 * 8, 1);
    await pushElements(host, { map: ref, values, count: 3000, overwriteOldest: false });
    expect(await clear(map)).toEqual({ removed: 3000 });
    expect(await peekElement(host, { map: ref })).toMatchObject({ found: false });
  });

  it("removes elements so large that buckets are larger than a batch", async () => {
    const { map, hand } = filled("HASH", 16, { valueSize: 600 << 10 });
    expect(await clear(map)).toEqual({ removed: 16 });
    expect(hand.keys()).toEqual([]);
  });

  it("zeroes values of 32 MiB", async () => {
    const map = makeMap("ARRAY", { valueSize: 32 << 20, maxEntries: 2 });
    const hand = new Hand(map);
    hand.update(u32(1), Buffer.alloc(32 << 20, 1));
    expect(await clear(map)).toEqual({ removed: 2 });
    expect(hand.lookup(u32(1))?.every((byte) => byte === 0)).toBe(true);
  });

  it.each(["HASH", "PERCPU_HASH", "LPM_TRIE"] as const)(
    "removes all that was in a %s when it began, and ends, while others insert",
    async (type) => {
      const { map, hand } = filled(type, 3000, { maxEntries: 4000 });
      const moving = range(map.layout, 5000, 5500, map.target.keyKind).map(([key]) => key);
      const churn = await startChurn(map, moving);
      const { removed } = await clear(map);
      expect(removed).toBeGreaterThanOrEqual(3000);
      await churn.stop();
      const left = hand.contents();
      for (const key of byKey(range(map.layout, 0, 3000, map.target.keyKind)).keys()) {
        expect(left.has(key)).toBe(false);
      }
    },
  );

  it.each(WALKABLE)("answers MAP_FROZEN for a frozen %s", async (type) => {
    const { map, hand } = filled(type, 10, { maxEntries: 20 });
    const before = hand.contents();
    mapFreeze(map.fd);
    await expectFailure(clear(map), "MAP_FROZEN");
    expect(hand.contents()).toEqual(before);
  });

  it("knows no BLOOM_FILTER", async () => {
    const map = makeMap("BLOOM_FILTER", { keySize: 0 });
    await expectFailure(clear(map), "OPERATION_NOT_SUPPORTED");
  });
});

describe("clearing a map on a kernel without batch calls", () => {
  it.each(WALKABLE)("empties a %s, or sets it to zero", async (type) => {
    const { map, hand } = filled(type, 2000, type.startsWith("LRU") ? { maxEntries: 9000 } : {});
    const args: ClearArgs = { target: withoutBatches(map.target), dedupMemoryBytes: 64 << 20 };
    expect(await resultOf(host.threads.run("clear", args, signal))).toEqual({ removed: 2000 });
    const left = [...hand.contents().values()];
    expect(left.every((value) => /^0*$/.test(value))).toBe(true);
    expect(left).toHaveLength(type.endsWith("ARRAY") ? 2000 : 0);
  });

  it("does not end before the map is empty where the walk's memory does", async () => {
    const { map, hand } = filled("HASH", 20_000);
    const args: ClearArgs = { target: withoutBatches(map.target), dedupMemoryBytes: 16 << 10 };
    expect(await resultOf(host.threads.run("clear", args, signal))).toEqual({ removed: 20_000 });
    expect(hand.keys()).toEqual([]);
  });
});
