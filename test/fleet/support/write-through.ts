import { expect } from "vitest";
import { isAbsent, keysUnder, put, type Store } from "#dist/fleet/store/index.js";
import { bytes, follow, told } from "../store-contract/fixture.ts";

type Outcome = "acknowledged" | "refused" | "unknown";

/**
 * Writes and watches while a store is disturbed, and compares at the end: what was acknowledged is
 * there, what was refused is not, and the watch has told every write once and in its order.
 * @returns how many writes were cut off, so that either was right
 */
export async function writeThrough(store: Store, disturb: () => Promise<void>): Promise<number> {
  const { revision } = await store.transact({ success: [put("begin", bytes("1"))] });
  const abort = new AbortController();
  const range = keysUnder("w/");
  const { events, ended } = follow(store.watch({ range, from: revision, signal: abort.signal }));
  const outcomes = new Map<string, Outcome>();
  let isOver = false;
  const write = async (writer: number) => {
    for (let count = 0; !isOver; count++) {
      const key = `w/${writer}/${count}`;
      outcomes.set(key, await writeOnce(store, key));
    }
  };
  const writers = Promise.all(Array.from({ length: 5 }, (_, index) => write(index)));
  try {
    await disturb();
  } finally {
    isOver = true;
  }
  await writers;
  const { entries } = await store.range({ range });
  const there = new Set(entries.map(({ key }) => key));
  const wrong = [...outcomes].filter(
    ([key, outcome]) => outcome !== "unknown" && there.has(key) !== (outcome === "acknowledged"),
  );
  expect(wrong).toEqual([]);
  await expect.poll(() => events.length, { timeout: 20_000 }).toBe(there.size);
  const inOrder = [...entries].sort((a, b) => Number(a.modRevision - b.modRevision));
  const expected = inOrder.map(({ key, modRevision }) => `put ${key}=1 @${modRevision}`);
  expect(events.map(told)).toEqual(expected);
  abort.abort();
  expect(await ended).toBe("ended");
  return [...outcomes.values()].filter((outcome) => outcome === "unknown").length;
}

async function writeOnce(store: Store, key: string): Promise<Outcome> {
  try {
    await store.transact({ compare: [isAbsent(key)], success: [put(key, bytes("1"))] });
    return "acknowledged";
  } catch (error) {
    expect(error).toMatchObject({
      code: expect.stringMatching(/^(UNAVAILABLE|DEADLINE_EXCEEDED)$/),
    });
    return (error as { maybeApplied: boolean }).maybeApplied ? "unknown" : "refused";
  }
}
