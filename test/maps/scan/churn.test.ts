import { describe, expect, it } from "vitest";
import { startChurn } from "../support/churn.js";
import { byKey, range } from "../support/elements.js";
import { Hand, type KernelMap, makeMap } from "../support/kernel-map.js";
import { startWalk, WALKS, type WalkKind, walk } from "../support/walk.js";

const STILL = 3000;
const MOVING = 600;

/** A map with elements that stand still, and keys between them for others to come and go. */
function stage(type: "HASH" | "PERCPU_HASH" | "LPM_TRIE") {
  const map = makeMap(type, { maxEntries: STILL + MOVING });
  const hand = new Hand(map);
  const all = range(map.layout, 0, STILL + MOVING, map.target.keyKind);
  const isMoving = (index: number) => index % 6 === 5;
  const still = all.filter((_, index) => !isMoving(index));
  const moving = all.filter((_, index) => isMoving(index)).map(([key]) => key);
  // In a trie, also prefixes that cover what stands still: inner nodes come and go.
  if (type === "LPM_TRIE") {
    for (const [index, key] of moving.entries()) key.writeUInt32LE(32 - (index % 8));
  }
  for (const [key, value] of still) hand.update(key, value);
  return { map, still, moving };
}

/** Walks again and again for a while and checks each walk. */
function walkWhileItMoves(
  kind: WalkKind,
  map: KernelMap,
  still: [Buffer, Buffer][],
): { walks: number; restarts: number } {
  const until = performance.now() + 800;
  const total = { walks: 0, restarts: 0 };
  while (performance.now() < until) {
    const source = startWalk(kind, map.target, { stretch: 256, maxRestarts: 1000 });
    const seen = walk(source, map.target);
    const once = byKey(seen);
    expect(once.size, "an element came twice").toBe(seen.length);
    expect(source.stats.incomplete).toBeUndefined();
    for (const [key, value] of byKey(still)) expect(once.get(key)).toBe(value);
    total.walks++;
    total.restarts += source.stats.restarts;
  }
  return total;
}

describe.each(WALKS)("a walk %s while another thread inserts, updates and deletes", (kind) => {
  it.each(["HASH", "PERCPU_HASH", "LPM_TRIE"] as const)(
    "sees what stands still in a %s exactly once",
    async (type) => {
      const { map, still, moving } = stage(type);
      const churn = await startChurn(map, moving);
      const { walks } = walkWhileItMoves(kind, map, still);
      expect(walks).toBeGreaterThan(0);
      expect(churn.rounds).toBeGreaterThan(1);
    },
  );
});
