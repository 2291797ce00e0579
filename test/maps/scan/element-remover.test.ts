import { describe, expect, it, onTestFinished } from "vitest";
import { ElementRemover } from "#dist/maps/scan/element-remover.js";
import type { ScanTarget } from "#dist/maps/scan/scan-target.js";
import { range, u32 } from "../support/elements.js";
import { Hand, makeMap, withoutBatches } from "../support/kernel-map.js";

function remover(target: ScanTarget): ElementRemover {
  const made = new ElementRemover(target);
  onTestFinished(() => made.release());
  return made;
}

const column = (indices: readonly number[]) => Buffer.concat(indices.map((index) => u32(index)));

describe.each([
  ["by batch", (target: ScanTarget) => target],
  ["one by one", withoutBatches],
])("ElementRemover %s", (_, withAbilities) => {
  function filled(count: number, valueSize = 8) {
    const map = makeMap("HASH", { valueSize, maxEntries: count });
    const hand = new Hand(map);
    for (const [key, value] of range(map.layout, 0, count)) hand.update(key, value);
    return { target: withAbilities(map.target), hand };
  }

  it("deletes the keys of a part of a column and leaves all others", () => {
    const { target, hand } = filled(10);
    expect(remover(target).remove(column([9, 1, 2, 3, 8]), 1, 3)).toBe(3);
    expect([...hand.contents().keys()].sort()).toEqual(
      [0, 4, 5, 6, 7, 8, 9].map((index) => u32(index).toString("hex")),
    );
  });

  it("passes over keys that are gone, and counts only those that were there", () => {
    const { target, hand } = filled(6);
    expect(remover(target).remove(column([77, 0, 78, 79, 1, 1, 80]), 0, 7)).toBe(2);
    expect(hand.contents().size).toBe(4);
  });

  it("deletes any number of keys, however few fit into one call", () => {
    // Values of 700 KiB: one key a call.
    const { target, hand } = filled(12, 700 << 10);
    const most = remover(target);
    expect(most.remove(column([5, 4, 3, 2, 1, 0]), 0, 6)).toBe(6);
    expect([...hand.contents().keys()].sort()).toEqual(
      [6, 7, 8, 9, 10, 11].map((index) => u32(index).toString("hex")),
    );
  });
});
