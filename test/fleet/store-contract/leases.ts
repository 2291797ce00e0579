import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ALL_KEYS, keysUnder, put, remove } from "#dist/fleet/store/index.js";
import { bytes, contents, firstEvents, openFresh, type StoreKind, told } from "./fixture.ts";

export function leaseCases(kind: StoreKind): void {
  test("a lease that runs out takes all its keys along, at one revision, and no others", async ({
    onTestFinished,
  }) => {
    const store = await openFresh(kind, onTestFinished);
    const { id } = await store.grantLease(1);
    const { revision } = await store.transact({
      success: [put("l/b", bytes("1"), id), put("l/a", bytes("1"), id), put("m", bytes("1"))],
    });
    const events = await firstEvents(
      store.watch({ range: keysUnder("l/"), from: revision + 1n }),
      2,
    );
    const at = events[0]?.type === "delete" ? events[0].modRevision : 0n;
    expect(at).toBeGreaterThan(revision);
    expect(events.map(told)).toEqual([`delete l/a @${at}`, `delete l/b @${at}`]);
    expect(contents((await store.range({ range: ALL_KEYS })).entries)).toEqual({ m: "1" });
    await expect(store.refreshLease(id)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
    await expect(store.getLease(id)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
    const late = store.transact({ success: [put("l/c", bytes("1"), id)] });
    await expect(late).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
  });

  test("a lease that is kept outlives its time, and runs out after", async ({ onTestFinished }) => {
    const store = await openFresh(kind, onTestFinished);
    const lease = await store.grantLease(2);
    const { revision } = await store.transact({ success: [put("k", bytes("1"), lease.id)] });
    const kept = store.keepLease(lease);
    await sleep(1.5 * lease.seconds * 1000);
    expect((await store.get("k")).entry).toBeDefined();
    expect(kept.lost.aborted).toBe(false);
    kept.stop();
    const events = await firstEvents(store.watch({ range: ALL_KEYS, from: revision + 1n }), 1);
    expect(events).toMatchObject([{ type: "delete", key: "k" }]);
    expect(kept.lost.aborted).toBe(false);
  });

  test("who keeps a lease is told when it is revoked", async ({ onTestFinished }) => {
    const store = await openFresh(kind, onTestFinished);
    const lease = await store.grantLease(2);
    const kept = store.keepLease(lease);
    const lost = new Promise((resolve) => {
      kept.lost.addEventListener("abort", () => resolve(kept.lost.reason));
    });
    await store.revokeLease(lease.id);
    expect(await lost).toMatchObject({ code: "LEASE_NOT_FOUND" });
  });

  test("revoking removes the keys at once", async ({ onTestFinished }) => {
    const store = await openFresh(kind, onTestFinished);
    const { id } = await store.grantLease(60);
    await store.transact({ success: [put("a", bytes("1"), id), put("b", bytes("1"))] });
    await store.revokeLease(id);
    expect(contents((await store.range({ range: ALL_KEYS })).entries)).toEqual({ b: "1" });
    await expect(store.revokeLease(id)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
  });

  test("a key goes with the lease of its last write, or with none", async ({ onTestFinished }) => {
    const store = await openFresh(kind, onTestFinished);
    const one = await store.grantLease(60);
    const other = await store.grantLease(60);
    await store.transact({
      success: ["freed", "moved", "gone", "stays"].map((key) => put(key, bytes("1"), one.id)),
    });
    await store.transact({
      success: [put("freed", bytes("2")), put("moved", bytes("2"), other.id), remove("gone")],
    });
    expect(await store.getLease(one.id)).toMatchObject({
      id: one.id,
      seconds: 60,
      keys: ["stays"],
    });
    expect((await store.getLease(other.id)).keys).toEqual(["moved"]);
    expect((await store.get("moved")).entry?.lease).toBe(other.id);
    expect((await store.get("freed")).entry?.lease).toBe(0n);
    await store.revokeLease(one.id);
    expect(contents((await store.range({ range: ALL_KEYS })).entries)).toEqual({
      freed: "2",
      moved: "2",
    });
    await store.revokeLease(other.id);
    expect(contents((await store.range({ range: ALL_KEYS })).entries)).toEqual({ freed: "2" });
  });

  test("tells how long a lease lives and what is left", async ({ onTestFinished }) => {
    const store = await openFresh(kind, onTestFinished);
    const lease = await store.grantLease(300);
    expect(lease.seconds).toBe(300);
    const { remainingSeconds } = await store.getLease(lease.id);
    expect(remainingSeconds).toBeGreaterThan(0);
    expect(remainingSeconds).toBeLessThanOrEqual(300);
    expect(await store.refreshLease(lease.id)).toMatchObject({ id: lease.id, seconds: 300 });
    await store.revokeLease(lease.id);
  });

  test("many leases are kept at once", async ({ onTestFinished }) => {
    const store = await openFresh(kind, onTestFinished);
    const leases = await Promise.all(Array.from({ length: 50 }, () => store.grantLease(2)));
    await store.transact({
      success: leases.map(({ id }, index) => put(`h/${index}`, bytes("1"), id)),
    });
    const kept = leases.map((lease) => store.keepLease(lease));
    await sleep(1.5 * leases[0]!.seconds * 1000);
    expect((await store.range({ range: ALL_KEYS })).count).toBe(50);
    for (const one of kept) one.stop();
    await Promise.all(leases.map(({ id }) => store.revokeLease(id)));
  });
}
