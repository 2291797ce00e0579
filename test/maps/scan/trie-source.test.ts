import { describe, expect, it } from "vitest";
import { byKey, prefix, u32 } from "../support/elements.js";
import { Hand, makeMap } from "../support/kernel-map.js";
import { startWalk, walk } from "../support/walk.js";

describe("TrieSource where the key it stands on is deleted", () => {
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
    const source = startWalk("by batch", target, { stretch: 10 });
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
    const source = startWalk("by batch", target, { stretch: 5, maxRestarts: 1000 });
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
    const source = startWalk("by batch", target, { stretch: 5, maxRestarts: 3 });
    const seen = walk(source, target, (elements) => {
      const [last] = elements.at(-1) ?? [];
      if (last) hand.delete(last);
    });
    expect(source.stats).toMatchObject({ restarts: 4, incomplete: "restarts" });
    expect(seen.length).toBeLessThan(200);
    expect(byKey(seen).size).toBe(seen.length);
  });
});
