import { expect, test } from "vitest";
import { ALL_KEYS, keysUnder, put, remove, scan } from "#dist/fleet/store/index.js";
import { bytes, contents, openFresh, type StoreKind, text } from "./fixture.ts";

export function readCases(kind: StoreKind): void {
  test("an empty store has a revision, and no keys", async () => {
    const store = await openFresh(kind);
    const answer = await store.range({ range: ALL_KEYS });
    expect(answer.revision).toBeGreaterThanOrEqual(1n);
    expect(answer).toMatchObject({ entries: [], more: false, count: 0 });
    expect(await store.get("a")).toEqual({ revision: answer.revision, entry: undefined });
  });

  test("reads back every byte, and no bytes at all", async () => {
    const store = await openFresh(kind);
    const all = Uint8Array.from({ length: 256 }, (_, index) => index);
    const { revision } = await store.transact({
      success: [put("all", all), put("none", new Uint8Array())],
    });
    const facts = { createRevision: revision, modRevision: revision, version: 1n, lease: 0n };
    expect(await store.get("all")).toEqual({
      revision,
      entry: { key: "all", value: all, ...facts },
    });
    expect(await store.get("none")).toEqual({
      revision,
      entry: { key: "none", value: new Uint8Array(), ...facts },
    });
  });

  test("answers Uint8Array, not Buffer", async () => {
    const store = await openFresh(kind);
    await store.transact({ success: [put("a", bytes("x"))] });
    const { entry } = await store.get("a");
    expect(Object.getPrototypeOf(entry?.value)).toBe(Uint8Array.prototype);
  });

  test("orders keys by their characters, and takes a prefix at its word", async () => {
    const store = await openFresh(kind);
    const keys = ["a", "a/", "a/~", "a/b", "a0", "A/", "ab", "b", "!", "~~"];
    await store.transact({ success: keys.map((key) => put(key, bytes(key))) });
    const all = await store.range({ range: ALL_KEYS });
    expect(all.entries.map(({ key }) => key)).toEqual([...keys].sort());
    const under = await store.range({ range: keysUnder("a/") });
    expect(under.entries.map(({ key }) => key)).toEqual(["a/", "a/b", "a/~"]);
    const between = await store.range({ range: { from: "a/b", to: "ab" } });
    expect(between.entries.map(({ key }) => key)).toEqual(["a/b", "a/~", "a0"]);
    const last = await store.range({ range: keysUnder("~") });
    expect(last.entries.map(({ key }) => key)).toEqual(["~~"]);
  });

  test("reads each revision as it was, and tells the store's own beside", async () => {
    const store = await openFresh(kind);
    const first = await store.transact({ success: [put("a", bytes("1")), put("b", bytes("1"))] });
    const second = await store.transact({ success: [put("a", bytes("2")), remove("b")] });
    const third = await store.transact({ success: [put("b", bytes("3")), remove("a")] });
    const at = async (revision?: bigint) => {
      const answer = await store.range({ range: ALL_KEYS, revision });
      expect(answer.revision).toBe(third.revision);
      return contents(answer.entries);
    };
    expect(await at(first.revision)).toEqual({ a: "1", b: "1" });
    expect(await at(second.revision)).toEqual({ a: "2" });
    expect(await at(third.revision)).toEqual({ b: "3" });
    expect(await at()).toEqual({ b: "3" });
    const { entry } = await store.get("b", { revision: first.revision });
    expect(entry && text(entry.value)).toBe("1");
  });

  test("answers FUTURE_REVISION for one that has not come", async () => {
    const store = await openFresh(kind);
    const { revision } = await store.transact({ success: [put("a", bytes("1"))] });
    const ahead = store.range({ range: ALL_KEYS, revision: revision + 1000n });
    await expect(ahead).rejects.toMatchObject({ code: "FUTURE_REVISION" });
  });

  test("counts all and answers as many as asked for", async () => {
    const store = await openFresh(kind);
    await store.transact({ success: ["a", "b", "c"].map((key) => put(key, bytes(key))) });
    const two = await store.range({ range: ALL_KEYS, limit: 2 });
    expect(two).toMatchObject({ more: true, count: 3 });
    expect(contents(two.entries)).toEqual({ a: "a", b: "b" });
    const three = await store.range({ range: ALL_KEYS, limit: 3 });
    expect(three).toMatchObject({ more: false, count: 3 });
    const keys = await store.range({ range: ALL_KEYS, keysOnly: true });
    expect(contents(keys.entries)).toEqual({ a: "", b: "", c: "" });
  });

  test("scans page by page at one revision, whatever is written meanwhile", async () => {
    const store = await openFresh(kind);
    const keys = Array.from({ length: 25 }, (_, index) => `k/${String(index).padStart(2, "0")}`);
    await store.transact({ success: keys.map((key) => put(key, bytes("before"))) });
    const found: Record<string, string> = {};
    const sizes: number[] = [];
    for await (const { entries } of scan(store, { range: keysUnder("k/"), limit: 10 })) {
      sizes.push(entries.length);
      Object.assign(found, contents(entries));
      await store.transact({
        success: [
          ...keys.slice(12).map((key) => remove(key)),
          put(`k/new${sizes.length}`, bytes("x")),
        ],
      });
    }
    expect(sizes).toEqual([10, 10, 5]);
    expect(found).toEqual(Object.fromEntries(keys.map((key) => [key, "before"])));
  });
}
