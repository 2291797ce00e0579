import { expect, test } from "vitest";
import {
  ALL_KEYS,
  isAbsent,
  LIMITS,
  put,
  remove,
  type Transaction,
} from "#dist/fleet/store/index.js";
import { bytes, openFresh, type StoreKind } from "./fixture.ts";

const INVALID = { code: "INVALID_ARGUMENT", maybeApplied: false };

export function limitCases(kind: StoreKind): void {
  test("takes a transaction of as many operations and bytes as are allowed", async () => {
    const store = await openFresh(kind);
    const keys = Array.from({ length: LIMITS.operations }, (_, index) => `key/${index}`);
    const room = LIMITS.transactionBytes - 3 * keys.join("").length;
    const sizes = keys.map((_, index) => (index === 0 ? room : 0));
    await store.transact({
      compare: keys.map(isAbsent),
      success: keys.map((key, index) => put(key, new Uint8Array(sizes[index]!).fill(7))),
      failure: keys.map(remove),
    });
    const { count } = await store.range({ range: ALL_KEYS, keysOnly: true });
    expect(count).toBe(keys.length);
    expect((await store.get(keys[0]!)).entry?.value).toHaveLength(room);
    const longest = "k".repeat(LIMITS.keyLength);
    await store.transact({ success: [put(longest, bytes("x"))] });
    expect((await store.get(longest)).entry?.key).toBe(longest);
  });

  const many = Array.from({ length: LIMITS.operations + 1 }, (_, index) => `key/${index}`);
  const transactions: Record<string, Transaction> = {
    "too many operations": { success: many.map((key) => put(key, bytes("x"))) },
    "too many operations of the other branch": { failure: many.map((key) => remove(key)) },
    "too many comparisons": { compare: many.map(isAbsent), success: [put("a", bytes("x"))] },
    "too many bytes": { success: [put("a", new Uint8Array(LIMITS.transactionBytes))] },
    "a key that is written twice": { success: [put("a", bytes("1")), remove("a")] },
    "an empty key": { success: [put("", bytes("1"))] },
    "a key with a space": { success: [put("a b", bytes("1"))] },
    "a key that is not ASCII": { success: [put("ä", bytes("1"))] },
    "a key that is too long": { success: [put("k".repeat(LIMITS.keyLength + 1), bytes("1"))] },
    "a comparison with a bad key": { compare: [isAbsent("a\n")], success: [put("a", bytes("1"))] },
    "a comparison below zero": {
      compare: [{ key: "a", target: "version", is: ">", than: -1n }],
      success: [put("a", bytes("1"))],
    },
    "a lease of 0": { success: [put("a", bytes("1"), 0n)] },
  };
  test.each(Object.entries(transactions))("refuses %s whole", async (_, transaction) => {
    const store = await openFresh(kind);
    const before = await store.range({ range: ALL_KEYS });
    await expect(store.transact(transaction)).rejects.toMatchObject(INVALID);
    expect(await store.range({ range: ALL_KEYS })).toEqual(before);
  });

  test("refuses ranges, revisions, limits and leases that cannot be", async () => {
    const store = await openFresh(kind);
    const refused = [
      store.range({ range: { from: "b", to: "a" } }),
      store.range({ range: { from: "a", to: "a" } }),
      store.range({ range: { from: "ä", to: "ö" } }),
      store.range({ range: ALL_KEYS, revision: 0n }),
      store.range({ range: ALL_KEYS, limit: 0 }),
      store.range({ range: ALL_KEYS, limit: 1.5 }),
      store.range({ range: ALL_KEYS, limit: LIMITS.rangeEntries + 1 }),
      store.get(""),
      store.get("a", { revision: -1n }),
      store.compact(0n),
      store.grantLease(0),
      store.grantLease(1.5),
      store.grantLease(LIMITS.leaseSeconds + 1),
      store.refreshLease(0n),
      store.revokeLease(2n ** 63n),
      store.getLease(-1n),
    ];
    for (const one of refused) await expect(one).rejects.toMatchObject(INVALID);
    expect(() => store.watch({ range: ALL_KEYS, from: 0n })).toThrow(
      expect.objectContaining(INVALID),
    );
    expect(() => store.watch({ range: { from: "b", to: "a" }, from: 1n })).toThrow(
      expect.objectContaining(INVALID),
    );
    expect(() => store.keepLease({ id: 0n, seconds: 5 })).toThrow(expect.objectContaining(INVALID));
  });

  test("answers CANCELLED where the signal is aborted already", async () => {
    const store = await openFresh(kind);
    const signal = AbortSignal.abort();
    const cancelled = { code: "CANCELLED", maybeApplied: false };
    await expect(store.get("a", { signal })).rejects.toMatchObject(cancelled);
    const write = store.transact({ success: [put("a", bytes("1"))] }, { signal });
    await expect(write).rejects.toMatchObject(cancelled);
    await expect(store.grantLease(5, { signal })).rejects.toMatchObject(cancelled);
    expect((await store.get("a")).entry).toBeUndefined();
  });

  test("answers CLOSED after it was closed, to all", async () => {
    const store = await openFresh(kind);
    const { id } = await store.grantLease(60);
    await store.revokeLease(id);
    await store.close();
    await store.close();
    const closed = { code: "CLOSED", maybeApplied: false };
    await expect(store.get("a")).rejects.toMatchObject(closed);
    await expect(store.transact({ success: [put("a", bytes("1"))] })).rejects.toMatchObject(closed);
    await expect(store.compact(1n)).rejects.toMatchObject(closed);
    await expect(store.grantLease(5)).rejects.toMatchObject(closed);
    await expect(store.refreshLease(id)).rejects.toMatchObject(closed);
    const [first] = await Promise.allSettled([
      store.watch({ range: ALL_KEYS, from: 1n })[Symbol.asyncIterator]().next(),
    ]);
    expect(first).toMatchObject({ status: "rejected", reason: closed });
  });
}
