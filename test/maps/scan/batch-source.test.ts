import { describe, expect, it } from "vitest";
import { byKey, prefix, range, u32 } from "../support/elements.js";
import { Hand, makeMap } from "../support/kernel-map.js";
import { startWalk, walk } from "../support/walk.js";

describe("BatchSource where a bucket has more elements than a stretch", () => {
  // With 64 elements in 64 buckets some bucket has several, whatever the seed.
  it.each([1, 2])("grows its columns from %i and misses nothing", (stretch) => {
    const map = makeMap("HASH", { maxEntries: 64 });
    const hand = new Hand(map);
    const elements = range(map.layout, 0, 64);
    for (const [key, value] of elements) hand.update(key, value);
    const source = startWalk("BatchSource", map.target, { stretch });
    const seen = walk(source, map.target);
    expect(seen).toHaveLength(64);
    expect(byKey(seen)).toEqual(byKey(elements));
  });

  it("goes on from the same bucket after it has grown", () => {
    // One bucket for all: the first stretch cannot hold any of it.
    const map = makeMap("HASH", { maxEntries: 1, flags: 64 });
    new Hand(map).update(u32(1), Buffer.alloc(8));
    const source = startWalk("BatchSource", map.target, { stretch: 1 });
    expect(walk(source, map.target)).toHaveLength(1);
  });

  it("gives an empty stretch, not the end, while it grows", () => {
    const map = makeMap("HASH", { maxEntries: 64 });
    const hand = new Hand(map);
    for (const [key, value] of range(map.layout, 0, 64)) hand.update(key, value);
    const source = startWalk("BatchSource", map.target, { stretch: 1 });
    const counts: number[] = [];
    while (source.next()) counts.push(source.count);
    expect(counts).toContain(0);
    expect(counts.reduce((sum, count) => sum + count)).toBe(64);
  });
});

describe("BatchSource on a trie whose walk the kernel restarts", () => {
  /** A trie of `count` hosts below 10.0.0.0/8, in walking order. */
  function trie(count: number) {
    const map = makeMap("LPM_TRIE", { maxEntries: count + 10 });
    const hand = new Hand(map);
    const keys = Array.from({ length: count }, (_, index) =>
      prefix(32, [10, index >> 16, (index >> 8) & 255, index & 255]),
    );
    for (const [index, key] of keys.entries()) hand.update(key, u32(index, 8));
    return { ...map, hand, keys };
  }

  it("drops what it passed and counts one restart, however many stretches that takes", () => {
    const { target, hand, keys } = trie(1000);
    const source = startWalk("BatchSource", target, { stretch: 10 });
    let isDeleted = false;
    const seen = walk(source, target, (elements) => {
      // The kernel stands on the last key of the stretch: delete it, once, late.
      const [last] = elements.at(-1) ?? [];
      if (isDeleted || !last?.equals(keys[899] as Buffer)) return;
      hand.delete(last);
      isDeleted = true;
    });
    expect(isDeleted).toBe(true);
    expect(byKey(seen).size).toBe(1000);
    expect(seen).toHaveLength(1000);
    expect(source.stats).toEqual({ restarts: 1, duplicatesDropped: 899 });
  });

  it("sees all that stood still when the key it stands on is deleted after every stretch", () => {
    const { target, hand, keys } = trie(200);
    const source = startWalk("BatchSource", target, { stretch: 5, maxRestarts: 1000 });
    const seen = walk(source, target, (elements) => {
      const [last] = elements.at(-1) ?? [];
      if (last) hand.delete(last);
    });
    expect(seen).toHaveLength(200);
    expect(byKey(seen).size).toBe(keys.length);
    expect(source.stats.incomplete).toBeUndefined();
    expect(source.stats.restarts).toBeGreaterThan(20);
  });

  it("gives up after maxRestarts, and says so", () => {
    const { target, hand } = trie(200);
    const source = startWalk("BatchSource", target, { stretch: 5, maxRestarts: 3 });
    const seen = walk(source, target, (elements) => {
      const [last] = elements.at(-1) ?? [];
      if (last) hand.delete(last);
    });
    expect(source.stats).toMatchObject({ restarts: 4, incomplete: "restarts" });
    expect(seen.length).toBeLessThan(200);
    expect(byKey(seen).size).toBe(seen.length);
  });
});
