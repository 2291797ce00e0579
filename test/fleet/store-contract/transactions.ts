import { expect, test } from "vitest";
import {
  ALL_KEYS,
  type Comparison,
  get,
  isAbsent,
  isAt,
  isPresent,
  put,
  remove,
} from "#dist/fleet/store/index.js";
import { bytes, contents, openFresh, type StoreKind, text } from "./fixture.ts";

export function transactionCases(kind: StoreKind): void {
  test("tells the revision of its own write, whatever is written at the same time", async () => {
    const store = await openFresh(kind);
    const keys = Array.from({ length: 50 }, (_, index) => `key-${index}`);
    const answers = await Promise.all(
      keys.map((key) => store.transact({ success: [put(key, bytes(key))] })),
    );
    for (const [index, { revision }] of answers.entries()) {
      expect((await store.get(keys[index]!)).entry?.modRevision).toBe(revision);
    }
  });

  test("creates a key once; who comes second is told what is there", async () => {
    const store = await openFresh(kind);
    const create = (value: string) =>
      store.transact({
        compare: [isAbsent("a")],
        success: [put("a", bytes(value))],
        failure: [get("a")],
      });
    const first = await create("first");
    expect(first).toMatchObject({ succeeded: true, results: [{ do: "put" }] });
    const second = await create("second");
    expect(second.succeeded).toBe(false);
    expect(second.revision).toBe(first.revision);
    expect(second.results).toEqual([
      {
        do: "get",
        entry: {
          key: "a",
          value: bytes("first"),
          createRevision: first.revision,
          modRevision: first.revision,
          version: 1n,
          lease: 0n,
        },
      },
    ]);
  });

  test("writes all keys at one revision", async () => {
    const store = await openFresh(kind);
    await store.transact({ success: [put("old", bytes("x"))] });
    const before = await store.get("old");
    const { revision, results } = await store.transact({
      success: [put("a", bytes("1")), remove("old"), put("b", bytes("2")), remove("none")],
    });
    expect(revision).toBe(before.revision + 1n);
    expect(results).toEqual([
      { do: "put" },
      { do: "delete", deleted: true },
      { do: "put" },
      { do: "delete", deleted: false },
    ]);
    const { entries } = await store.range({ range: ALL_KEYS });
    expect(entries.map(({ key, modRevision }) => [key, modRevision])).toEqual([
      ["a", revision],
      ["b", revision],
    ]);
  });

  test("has no revision where nothing is written", async () => {
    const store = await openFresh(kind);
    const { revision } = await store.transact({ success: [put("a", bytes("1"))] });
    const nothing = await store.transact({
      compare: [isPresent("a")],
      success: [remove("none"), get("a")],
    });
    expect(nothing).toMatchObject({ revision, succeeded: true });
    expect(await store.transact({})).toEqual({ revision, succeeded: true, results: [] });
  });

  test("counts a key's writes, and begins anew after its removal", async () => {
    const store = await openFresh(kind);
    const first = await store.transact({ success: [put("a", bytes("1"))] });
    const second = await store.transact({ success: [put("a", bytes("2"))] });
    expect((await store.get("a")).entry).toMatchObject({
      version: 2n,
      createRevision: first.revision,
      modRevision: second.revision,
    });
    await store.transact({ success: [remove("a")] });
    const again = await store.transact({ success: [put("a", bytes("3"))] });
    expect((await store.get("a")).entry).toMatchObject({
      version: 1n,
      createRevision: again.revision,
      modRevision: again.revision,
    });
  });

  test("reads within a transaction what it has done so far", async () => {
    const store = await openFresh(kind);
    await store.transact({ success: [put("a", bytes("old")), put("b", bytes("old"))] });
    const { results } = await store.transact({
      success: [get("a"), put("a", bytes("new")), get("a"), remove("b"), get("b"), get("none")],
    });
    const values = results.map((one) =>
      one.do === "get" && one.entry ? text(one.entry.value) : one.do,
    );
    expect(values).toEqual(["old", "put", "new", "delete", "get", "get"]);
  });

  test("compares every number of a key; all are 0 where it is not there", async () => {
    const store = await openFresh(kind);
    const lease = await store.grantLease(60);
    const first = await store.transact({ success: [put("a", bytes("1"))] });
    const second = await store.transact({ success: [put("a", bytes("2"), lease.id)] });
    const numbers = {
      version: 2n,
      createRevision: first.revision,
      modRevision: second.revision,
      lease: lease.id,
    };
    const holds = async (comparison: Comparison) =>
      (await store.transact({ compare: [comparison] })).succeeded;
    for (const [target, value] of Object.entries(numbers) as [keyof typeof numbers, bigint][]) {
      for (const [key, is] of [
        ["a", value],
        ["none", 0n],
      ] as const) {
        const against = async (than: bigint) =>
          [
            await holds({ key, target, is: "=", than }),
            await holds({ key, target, is: "!=", than }),
            await holds({ key, target, is: "<", than }),
            await holds({ key, target, is: ">", than }),
          ].map(Number);
        expect(await against(is), `${key} ${target}`).toEqual([1, 0, 0, 0]);
        expect(await against(is + 1n), `${key} ${target}`).toEqual([0, 1, 1, 0]);
        if (is > 0n) expect(await against(is - 1n), `${key} ${target}`).toEqual([0, 1, 0, 1]);
      }
    }
    await store.revokeLease(lease.id);
  });

  test("does success only where all comparisons hold", async () => {
    const store = await openFresh(kind);
    const { succeeded } = await store.transact({
      compare: [isAbsent("a"), isPresent("b")],
      success: [put("a", bytes("1"))],
      failure: [put("c", bytes("1"))],
    });
    expect(succeeded).toBe(false);
    expect(contents((await store.range({ range: ALL_KEYS })).entries)).toEqual({ c: "1" });
  });

  test("changes nothing where one put has a lease that is not there", async () => {
    const store = await openFresh(kind);
    const { revision } = await store.transact({ success: [put("old", bytes("1"))] });
    const refused = store.transact({
      success: [remove("old"), put("a", bytes("1")), put("b", bytes("1"), 12345n)],
    });
    await expect(refused).rejects.toMatchObject({ code: "LEASE_NOT_FOUND", maybeApplied: false });
    const after = await store.range({ range: ALL_KEYS });
    expect(after.revision).toBe(revision);
    expect(contents(after.entries)).toEqual({ old: "1" });
  });

  test("loses no increment of many clients that compare and swap", async () => {
    const fresh = await kind.fresh();
    try {
      const clients = await Promise.all(Array.from({ length: 5 }, () => fresh.connect()));
      const increment = async (client: (typeof clients)[number]) => {
        for (;;) {
          const { entry } = await client.get("counter");
          const next = String(Number(entry === undefined ? 0 : text(entry.value)) + 1);
          const { succeeded } = await client.transact({
            compare: [isAt("counter", entry?.modRevision ?? 0n)],
            success: [put("counter", bytes(next))],
          });
          if (succeeded) return;
        }
      };
      await Promise.all(
        clients.map(async (client) => {
          for (let index = 0; index < 20; index++) await increment(client);
        }),
      );
      const { entry } = await clients[0]!.get("counter");
      expect(entry && text(entry.value)).toBe("100");
      expect(entry?.version).toBe(100n);
    } finally {
      await fresh.dispose();
    }
  });
}
