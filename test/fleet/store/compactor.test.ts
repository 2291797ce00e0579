import { expect, test } from "vitest";
import { ALL_KEYS, Compactor, put } from "#dist/fleet/store/index.js";
import { bytes, contents, openFresh } from "../store-contract/fixture.ts";
import { embedded } from "../support/embedded.ts";
import { FakeClock } from "../support/fake-clock.ts";

test("history goes once it is old enough, and what is there stays", async () => {
  const store = await openFresh(embedded);
  const clock = new FakeClock();
  const compactor = new Compactor(store, { keepMs: 100, clock });
  const write = async (value: string) =>
    (await store.transact({ success: [put("k", bytes(value))] })).revision;
  const read = async (revision?: bigint) =>
    contents((await store.range({ range: ALL_KEYS, revision })).entries);
  const first = await write("1");
  const second = await write("2");
  expect(await compactor.run()).toBeUndefined();
  clock.pass(60);
  const third = await write("3");
  expect(await compactor.run()).toBeUndefined();
  clock.pass(50);
  expect(await read(first)).toEqual({ k: "1" });
  expect(await compactor.run()).toBe(second);
  await expect(read(first)).rejects.toMatchObject({ code: "COMPACTED" });
  expect(await read(second)).toEqual({ k: "2" });
  clock.pass(1000);
  expect(await compactor.run()).toBe(third);
  expect(await compactor.run()).toBeUndefined();
  expect(await read()).toEqual({ k: "3" });
});

test("one that another has overtaken goes on", async () => {
  const store = await openFresh(embedded);
  const clock = new FakeClock();
  const compactor = new Compactor(store, { keepMs: 100, clock });
  await store.transact({ success: [put("k", bytes("1"))] });
  await compactor.run();
  const { revision } = await store.transact({ success: [put("k", bytes("2"))] });
  await store.compact(revision);
  clock.pass(100);
  expect(await compactor.run()).toBeUndefined();
  clock.pass(100);
  expect(await compactor.run()).toBeUndefined();
});
