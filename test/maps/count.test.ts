import { beforeAll, describe, expect, it } from "vitest";
import { countElements, type ElementFilter, type MapHost } from "#dist/maps/index.js";
import type { CountArgs } from "#dist/maps/scan/count-job.js";
import { resultOf } from "#dist/maps/threads/thread-pool.js";
import { range, u32 } from "./support/elements.js";
import { startHost } from "./support/host.js";
import { Hand, makeMap, WALKABLE, type Walkable, withoutBatches } from "./support/kernel-map.js";
import { expectFailure } from "./support/outcome.js";

let host: MapHost;
beforeAll(async () => {
  const started = await startHost();
  host = started.host;
  return started.close;
});

const signal = new AbortController().signal;
const count = (id: number, filter?: ElementFilter) =>
  countElements(host, { by: "id", id }, filter, signal);

function filled(type: Walkable, elements: number, maxEntries = elements * 4) {
  const map = makeMap(type, { maxEntries });
  const hand = new Hand(map);
  for (const [key, value] of range(map.layout, 0, elements, map.target.keyKind)) {
    hand.update(key, value);
  }
  return map;
}

describe("CountElements", () => {
  it.each(WALKABLE)("counts the elements of a %s", async (type) => {
    const { id, layout } = filled(type, 3000);
    const { maxEntries } = layout;
    const expected = type.endsWith("ARRAY") ? maxEntries : 3000;
    expect(await count(id)).toEqual({ count: expected, maxEntries, complete: true });
  });

  it("counts only what a filter chooses", async () => {
    const { id } = filled("HASH", 3000);
    expect(await count(id, { keyPrefix: Buffer.from([0x10]) })).toMatchObject({ count: 12 });
    const valueMatch = { mask: Buffer.from([0, 0xff]), match: Buffer.from([0, 1]) };
    expect(await count(id, { valueMatch })).toMatchObject({ count: 256, complete: true });
  });

  it("counts array elements that a filter chooses", async () => {
    const { id } = filled("ARRAY", 100, 1000);
    const filter = { keyRange: { start: u32(250), end: u32(300) } };
    expect(await count(id, filter)).toMatchObject({ count: 50, maxEntries: 1000 });
  });

  it("tells where it could not count all", async () => {
    const { target } = filled("HASH", 20_000, 20_000);
    const args: CountArgs = { target: withoutBatches(target), dedupMemoryBytes: 16 << 10 };
    const counted = await resultOf(
      host.threads.run<never, { count: number; complete: boolean }>("count", args, signal),
    );
    expect(counted.complete).toBe(false);
    expect(counted.count).toBeLessThan(20_000);
  });

  it("refuses maps without keys, and filters of the wrong size", async () => {
    await expectFailure(count(makeMap("QUEUE", { keySize: 0 }).id), "OPERATION_NOT_SUPPORTED");
    const { id } = filled("ARRAY", 3);
    const filter = { keyRange: { start: Buffer.alloc(3) } };
    await expectFailure(count(id, filter), "KEY_SIZE_MISMATCH", "filter.key_range.start");
  });
});
