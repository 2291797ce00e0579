import { expect, test } from "vitest";
import { ALL_KEYS, put, remove, type Store, scan } from "#dist/fleet/store/index.js";
import {
  bytes,
  contents,
  firstEvents,
  follow,
  openFresh,
  type StoreKind,
  told,
} from "./fixture.ts";

/** Revisions of a store: b is written, changed and removed; a stays. */
async function written(
  store: Store,
): Promise<{ first: bigint; second: bigint; third: bigint; last: bigint }> {
  const { revision: first } = await store.transact({
    success: [put("a", bytes("1")), put("b", bytes("1"))],
  });
  const { revision: second } = await store.transact({ success: [put("b", bytes("2"))] });
  const { revision: third } = await store.transact({ success: [remove("b")] });
  const { revision: last } = await store.transact({ success: [put("c", bytes("1"))] });
  return { first, second, third, last };
}

export function compactionCases(kind: StoreKind): void {
  test("keeps what can be read from the revision on, and no more", async () => {
    const store = await openFresh(kind);
    const { first, second, third, last } = await written(store);
    expect(await store.compact(second)).toEqual({ revision: last });
    const at = async (revision?: bigint) =>
      contents((await store.range({ range: ALL_KEYS, revision })).entries);
    await expect(at(first)).rejects.toMatchObject({ code: "COMPACTED", maybeApplied: false });
    expect(await at(second)).toEqual({ a: "1", b: "2" });
    expect(await at(third)).toEqual({ a: "1" });
    expect(await at()).toEqual({ a: "1", c: "1" });
    await store.compact(last);
    await expect(at(third)).rejects.toMatchObject({ code: "COMPACTED" });
    expect(await at(last)).toEqual({ a: "1", c: "1" });
    const { entry } = await store.get("a");
    expect(entry).toMatchObject({ createRevision: first, modRevision: first, version: 1n });
  });

  test("watches begin after it; from it or before, they are told so", async () => {
    const store = await openFresh(kind);
    const { first, second, third, last } = await written(store);
    await store.compact(second);
    for (const from of [first, second]) {
      const { ended } = follow(store.watch({ range: ALL_KEYS, from }));
      expect(await ended).toMatchObject({ code: "COMPACTED" });
    }
    const events = await firstEvents(store.watch({ range: ALL_KEYS, from: third }), 2);
    expect(events.map(told)).toEqual([`delete b @${third}`, `put c=1 @${last}`]);
  });

  test("a watch from right where it was compacted does not lose a deletion silently", async () => {
    const store = await openFresh(kind);
    const { third } = await written(store);
    await store.compact(third);
    const { ended } = follow(store.watch({ range: ALL_KEYS, from: third }));
    expect(await ended).toMatchObject({ code: "COMPACTED" });
  });

  test("a watch that has kept up goes on", async () => {
    const store = await openFresh(kind);
    const { first, last } = await written(store);
    const abort = new AbortController();
    const { events, ended } = follow(
      store.watch({ range: ALL_KEYS, from: first, signal: abort.signal }),
    );
    await expect.poll(() => events.length).toBe(5);
    await store.compact(last);
    const after = await store.transact({ success: [put("d", bytes("1"))] });
    await expect.poll(() => events.length).toBe(6);
    expect(told(events[5]!)).toBe(`put d=1 @${after.revision}`);
    abort.abort();
    expect(await ended).toBe("ended");
  });

  test("a scan that it overtakes is told so", async () => {
    const store = await openFresh(kind);
    await written(store);
    const pages = scan(store, { range: ALL_KEYS, limit: 1 });
    expect((await pages.next()).value?.entries).toHaveLength(1);
    const { revision } = await store.transact({ success: [put("d", bytes("1"))] });
    await store.compact(revision);
    await expect(pages.next()).rejects.toMatchObject({ code: "COMPACTED" });
  });

  test("does not go back, and not ahead", async () => {
    const store = await openFresh(kind);
    const { second, third, last } = await written(store);
    await store.compact(third);
    await expect(store.compact(third)).rejects.toMatchObject({ code: "COMPACTED" });
    await expect(store.compact(second)).rejects.toMatchObject({ code: "COMPACTED" });
    await expect(store.compact(last + 1000n)).rejects.toMatchObject({ code: "FUTURE_REVISION" });
  });
}
