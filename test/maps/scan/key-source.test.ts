import { describe, expect, it } from "vitest";
import { byKey, range } from "../support/elements.js";
import { Hand, makeMap, withoutBatches } from "../support/kernel-map.js";
import { startWalk, walk } from "../support/walk.js";

function filledHash(count: number, keySize = 4) {
  const map = makeMap("HASH", { keySize, maxEntries: count + 100 });
  const hand = new Hand(map);
  const elements = range(map.layout, 0, count);
  for (const [key, value] of elements) hand.update(key, value);
  return { ...map, target: withoutBatches(map.target), hand, elements };
}

describe("KeySource on a hash whose walk the kernel restarts", () => {
  it("drops what it read already and counts the restart", () => {
    const { target, hand, elements } = filledHash(300);
    const source = startWalk("by key", target, { stretch: 50 });
    let stretches = 0;
    const seen = walk(source, target, (stretch) => {
      if (++stretches !== 4) return;
      hand.delete((stretch.at(-1) as [Buffer, Buffer])[0]);
    });
    expect(seen).toHaveLength(300);
    expect(byKey(seen)).toEqual(byKey(elements));
    expect(source.stats).toEqual({ restarts: 1, duplicatesDropped: 199 });
  });

  it("reads everything once when the key it stands on is deleted after every stretch", () => {
    const { target, hand, elements } = filledHash(400);
    const source = startWalk("by key", target, { stretch: 10, maxRestarts: 1000 });
    const seen = walk(source, target, (stretch) => {
      const [last] = stretch.at(-1) ?? [];
      if (last) hand.delete(last);
    });
    expect(seen).toHaveLength(400);
    expect(byKey(seen)).toEqual(byKey(elements));
    expect(source.stats.incomplete).toBeUndefined();
    expect(source.stats.restarts).toBeGreaterThan(30);
  });

  it("counts a restart once where elements were added on the way that it walks again", () => {
    const { target, hand, layout, elements } = filledHash(300);
    const source = startWalk("by key", target, { stretch: 50 });
    let stretches = 0;
    const seen = walk(source, target, (stretch) => {
      if (++stretches !== 4) return;
      for (const [key, value] of range(layout, 1000, 1080)) hand.update(key, value);
      hand.delete((stretch.at(-1) as [Buffer, Buffer])[0]);
    });
    const once = byKey(seen);
    expect(once.size).toBe(seen.length);
    for (const [key, value] of byKey(elements)) expect(once.get(key)).toBe(value);
    expect(source.stats.restarts).toBe(1);
  });

  it("gives up after maxRestarts, and says so", () => {
    const { target, hand } = filledHash(400);
    const source = startWalk("by key", target, { stretch: 10, maxRestarts: 3 });
    const seen = walk(source, target, (stretch) => {
      const [last] = stretch.at(-1) ?? [];
      if (last) hand.delete(last);
    });
    expect(source.stats).toMatchObject({ restarts: 4, incomplete: "restarts" });
    expect(byKey(seen).size).toBe(seen.length);
    expect(seen.length).toBeLessThan(400);
  });
});

describe("KeySource and its memory", () => {
  it("gives up where the keys it has seen no longer fit, and repeats none", () => {
    const { target } = filledHash(20_000, 16);
    const source = startWalk("by key", target, { dedupMemoryBytes: 64 << 10 });
    const seen = walk(source, target);
    expect(source.stats.incomplete).toBe("dedup_memory");
    expect(seen.length).toBeGreaterThan(1000);
    expect(seen.length).toBeLessThan(20_000);
    expect(byKey(seen).size).toBe(seen.length);
  });

  it("needs none for arrays and tries, whose order tells what it has passed", () => {
    for (const type of ["ARRAY", "LPM_TRIE"] as const) {
      const map = makeMap(type, { maxEntries: 5000 });
      const hand = new Hand(map);
      for (const [key, value] of range(map.layout, 0, 5000, map.target.keyKind)) {
        hand.update(key, value);
      }
      const source = startWalk("by key", map.target, { dedupMemoryBytes: 0 });
      expect(walk(source, map.target)).toHaveLength(5000);
      expect(source.stats.incomplete).toBeUndefined();
    }
  });

  it("leaves out an element that is deleted between its key and its value", () => {
    const { target, hand, elements } = filledHash(100);
    const source = startWalk("by key", target, { stretch: 1 });
    source.next();
    for (const [key] of elements) hand.delete(key);
    expect(walk(source, target)).toEqual([]);
  });
});
