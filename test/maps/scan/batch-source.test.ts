import { describe, expect, it } from "vitest";
import { byKey, range, u32 } from "../support/elements.js";
import { Hand, makeMap } from "../support/kernel-map.js";
import { startWalk, walk } from "../support/walk.js";

describe("BatchSource", () => {
  it("refuses columns that are too large to be had, and the process lives on", () => {
    const map = makeMap("HASH", { valueSize: 1 << 20, maxEntries: 4 });
    expect(() => startWalk("by batch", map.target, { stretch: 1 << 20 })).toThrow("no memory");
  });
});

describe("BatchSource where a bucket has more elements than a stretch", () => {
  // With 64 elements in 64 buckets some bucket has several, whatever the seed.
  it.each([1, 2])("grows its columns from %i and misses nothing", (stretch) => {
    const map = makeMap("HASH", { maxEntries: 64 });
    const hand = new Hand(map);
    const elements = range(map.layout, 0, 64);
    for (const [key, value] of elements) hand.update(key, value);
    const source = startWalk("by batch", map.target, { stretch });
    const seen = walk(source, map.target);
    expect(seen).toHaveLength(64);
    expect(byKey(seen)).toEqual(byKey(elements));
  });

  it("goes on from the same bucket after it has grown", () => {
    // One bucket for all: the first stretch cannot hold any of it.
    const map = makeMap("HASH", { maxEntries: 1, flags: 64 });
    new Hand(map).update(u32(1), Buffer.alloc(8));
    const source = startWalk("by batch", map.target, { stretch: 1 });
    expect(walk(source, map.target)).toHaveLength(1);
  });

  it("gives an empty stretch, not the end, while it grows", () => {
    const map = makeMap("HASH", { maxEntries: 64 });
    const hand = new Hand(map);
    for (const [key, value] of range(map.layout, 0, 64)) hand.update(key, value);
    const source = startWalk("by batch", map.target, { stretch: 1 });
    const counts: number[] = [];
    while (source.next()) counts.push(source.count);
    expect(counts).toContain(0);
    expect(counts.reduce((sum, count) => sum + count)).toBe(64);
  });
});
