import { expect, test } from "vitest";
import { ALL_KEYS, keysUnder, put, remove } from "#dist/fleet/store/index.js";
import { bytes, firstEvents, follow, openFresh, type StoreKind, told } from "./fixture.ts";

export function watchCases(kind: StoreKind): void {
  test("tells what was since a revision, and then what comes, each once", async () => {
    const store = await openFresh(kind);
    const a = await store.transact({ success: [put("a", bytes("1"))] });
    const b = await store.transact({ success: [put("b", bytes("1"))] });
    const watch = store.watch({ range: ALL_KEYS, from: a.revision })[Symbol.asyncIterator]();
    const seen: string[] = [];
    while (seen.length < 2) seen.push(...(await watch.next()).value.events.map(told));
    const c = await store.transact({ success: [put("c", bytes("1")), remove("a")] });
    const { value } = await watch.next();
    await watch.return?.();
    expect(seen).toEqual([`put a=1 @${a.revision}`, `put b=1 @${b.revision}`]);
    expect(value.revision).toBe(c.revision);
    expect(value.events.map(told)).toEqual([`put c=1 @${c.revision}`, `delete a @${c.revision}`]);
  });

  test("tells all facts of an entry", async () => {
    const store = await openFresh(kind);
    const lease = await store.grantLease(60);
    const first = await store.transact({ success: [put("a", bytes("1"))] });
    const second = await store.transact({ success: [put("a", bytes("2"), lease.id)] });
    const events = await firstEvents(store.watch({ range: ALL_KEYS, from: second.revision }), 1);
    expect(events).toEqual([
      {
        type: "put",
        entry: {
          key: "a",
          value: bytes("2"),
          createRevision: first.revision,
          modRevision: second.revision,
          version: 2n,
          lease: lease.id,
        },
      },
    ]);
    await store.revokeLease(lease.id);
  });

  test("waits for a revision that has not come", async () => {
    const store = await openFresh(kind);
    const { revision } = await store.transact({ success: [put("a", bytes("1"))] });
    const events = firstEvents(store.watch({ range: ALL_KEYS, from: revision + 2n }), 1);
    await store.transact({ success: [put("a", bytes("2"))] });
    await store.transact({ success: [put("a", bytes("3"))] });
    expect((await events).map(told)).toEqual([`put a=3 @${revision + 2n}`]);
  });

  test("keeps to its range", async () => {
    const store = await openFresh(kind);
    const { revision } = await store.transact({
      success: [
        put("a", bytes("0")),
        put("b/1", bytes("1")),
        put("b0", bytes("0")),
        put("b/2", bytes("2")),
      ],
    });
    await store.transact({ success: [put("c", bytes("0"))] });
    const last = await store.transact({ success: [remove("b/1"), remove("a")] });
    const events = await firstEvents(store.watch({ range: keysUnder("b/"), from: revision }), 3);
    expect(events.map(told)).toEqual([
      `put b/1=1 @${revision}`,
      `put b/2=2 @${revision}`,
      `delete b/1 @${last.revision}`,
    ]);
  });

  test("never splits a revision", async () => {
    const store = await openFresh(kind);
    const keys = Array.from({ length: 100 }, (_, index) => `k/${index}`);
    const from = (await store.transact({ success: [put("x", bytes("x"))] })).revision + 1n;
    for (const value of ["1", "2", "3"]) {
      await store.transact({ success: keys.map((key) => put(key, bytes(value))) });
    }
    let count = 0;
    for await (const { revision, events } of store.watch({ range: keysUnder("k/"), from })) {
      count += events.length;
      const revisions = new Set(
        events.map((event) => event.type === "put" && event.entry.modRevision),
      );
      expect(events.length).toBe(revisions.size * keys.length);
      expect(revisions).toContain(revision);
      if (count === 300) break;
    }
  });

  test("a reader who sleeps misses nothing", async () => {
    const store = await openFresh(kind);
    const from = (await store.transact({ success: [put("x", bytes("x"))] })).revision + 1n;
    const watch = store.watch({ range: keysUnder("k"), from })[Symbol.asyncIterator]();
    const first = watch.next();
    const write = (index: number) => store.transact({ success: [put("k", bytes(`${index}`))] });
    await write(0);
    await first;
    await Promise.all(Array.from({ length: 500 }, (_, index) => write(index + 1)));
    const revisions = new Set<bigint>();
    while (revisions.size < 500) {
      for (const event of (await watch.next()).value.events) {
        if (event.type === "put") revisions.add(event.entry.modRevision);
      }
    }
    await watch.return?.();
    expect([...revisions]).toEqual(
      Array.from({ length: 500 }, (_, index) => from + BigInt(index) + 1n),
    );
  });

  test("ends where its signal is aborted: before it began, and while it waits", async () => {
    const store = await openFresh(kind);
    const { revision } = await store.transact({ success: [put("a", bytes("1"))] });
    const before = store.watch({ range: ALL_KEYS, from: revision, signal: AbortSignal.abort() });
    expect(await follow(before).ended).toBe("ended");
    const abort = new AbortController();
    const { events, ended } = follow(
      store.watch({ range: ALL_KEYS, from: revision, signal: abort.signal }),
    );
    await expect.poll(() => events.length).toBe(1);
    abort.abort();
    expect(await ended).toBe("ended");
  });

  test("ends with CLOSED where the store is closed", async () => {
    const store = await openFresh(kind);
    const { revision } = await store.transact({ success: [put("a", bytes("1"))] });
    const { events, ended } = follow(store.watch({ range: ALL_KEYS, from: revision }));
    await expect.poll(() => events.length).toBe(1);
    await store.close();
    expect(await ended).toMatchObject({ code: "CLOSED" });
  });
}
