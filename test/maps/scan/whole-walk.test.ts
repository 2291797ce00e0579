import { describe, expect, it } from "vitest";
import { byKey, columnsOf, range, rows } from "../support/elements.js";
import { Hand, type KernelMap, makeMap, WALKABLE, type Walkable } from "../support/kernel-map.js";
import { startWalk, WALKS, walk } from "../support/walk.js";

const ENTRIES = 500;

/** A map that is full, and its elements. */
function fullMap(type: Walkable, shape = {}): KernelMap & { elements: [Buffer, Buffer][] } {
  // An LRU map evicts before it is full, so it gets room.
  const maxEntries = type.startsWith("LRU") ? ENTRIES * 4 : ENTRIES;
  const map = makeMap(type, { maxEntries, ...shape });
  const hand = new Hand(map);
  const elements = range(map.layout, 0, ENTRIES, map.target.keyKind);
  for (const [key, value] of elements) hand.update(key, value);
  return { ...map, elements };
}

describe.each(WALKS)("a walk %s", (kind) => {
  it.each(WALKABLE)("sees every element of a %s once, with its value", (type) => {
    const { target, elements } = fullMap(type);
    const source = startWalk(kind, target);
    const seen = walk(source, target);
    expect(seen).toHaveLength(ENTRIES);
    expect(byKey(seen)).toEqual(byKey(elements));
    expect(source.stats).toEqual({ restarts: 0, duplicatesDropped: 0 });
  });

  it.each(WALKABLE)("sees every element of a %s when it reads one at a time", (type) => {
    const { target, elements } = fullMap(type);
    expect(byKey(walk(startWalk(kind, target, { stretch: 1 }), target))).toEqual(byKey(elements));
  });

  it.each([
    [1, 1],
    [3, 7],
    [64, 1],
    [7, 4099],
  ])("sees keys of %i and values of %i bytes whole", (keySize, valueSize) => {
    const map = makeMap("HASH", { keySize, valueSize, maxEntries: 200 });
    const hand = new Hand(map);
    const elements = range(map.layout, 0, 100);
    for (const [key, value] of elements) hand.update(key, value);
    const seen = walk(startWalk(kind, map.target), map.target);
    expect(byKey(seen)).toEqual(byKey(elements));
  });

  it.each(WALKABLE.filter((type) => !type.endsWith("ARRAY")))(
    "ends at once in an empty %s",
    (type) => {
      const { target } = makeMap(type);
      const source = startWalk(kind, target);
      expect(walk(source, target)).toEqual([]);
      expect(source.next()).toBe(false);
    },
  );

  it("keeps host bits of prefixes as they were written", () => {
    const map = makeMap("LPM_TRIE");
    const key = Buffer.from([8, 0, 0, 0, 10, 1, 2, 3]);
    new Hand(map).update(key, Buffer.alloc(8));
    expect(walk(startWalk(kind, map.target), map.target).map(([seen]) => seen)).toEqual([key]);
  });

  it("can walk the columns it gave before the next stretch overwrites them", () => {
    const { target, elements } = fullMap("HASH");
    const source = startWalk(kind, target, { stretch: 37 });
    const seen: [Buffer, Buffer][] = [];
    while (source.next()) {
      const keys = rows(source.keys.subarray(0, source.count * 4), 4);
      const values = rows(source.values.subarray(0, source.count * 8), 8);
      for (const [index, key] of keys.entries()) {
        seen.push([Buffer.from(key), Buffer.from(values[index] as Buffer)]);
      }
    }
    expect(byKey(seen)).toEqual(byKey(elements));
    expect(columnsOf(seen).count).toBe(ENTRIES);
  });
});
