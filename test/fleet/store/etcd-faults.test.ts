import { cpSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import {
  ALL_KEYS,
  type EtcdStoreOptions,
  openEtcdStore,
  put,
  remove,
  type Store,
} from "#dist/fleet/store/index.js";
import { bytes, contents, firstEvents, follow, told } from "../store-contract/fixture.ts";
import { freePort, startEtcd, type TestEtcd } from "../support/etcd.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { writeThrough } from "../support/write-through.ts";

/** These tests kill it and start it again, one after the other. */
let etcd: TestEtcd;
beforeAll(async () => {
  etcd = await startEtcd({ args: ["--quota-backend-bytes", String(16 * 1024 * 1024)] });
  return () => etcd.dispose();
});

let count = 0;

function open(options: Partial<EtcdStoreOptions> = {}): Store {
  const prefix = `/faults/${++count}/`;
  const store = openEtcdStore({ endpoints: [etcd.endpoint], prefix, ...options });
  onTestFinished(() => store.close());
  return store;
}

async function proxied(): Promise<{ proxy: TcpProxy; endpoint: string }> {
  const proxy = await startTcpProxy(Number(new URL(etcd.endpoint).port));
  onTestFinished(() => proxy.close());
  return { proxy, endpoint: `http://${proxy.address}` };
}

async function deadEndpoint(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}

test("a watch goes on after etcd was killed, without a loss and without a repetition", async () => {
  const store = open();
  const abort = new AbortController();
  const interruptions: Error[] = [];
  const { revision } = await store.transact({ success: [put("k", bytes("0"))] });
  const watch = { range: ALL_KEYS, from: revision, signal: abort.signal };
  const { events, ended } = follow(
    store.watch({ ...watch, onInterrupted: (error) => interruptions.push(error) }),
  );
  for (let round = 1; round <= 2; round++) {
    await store.transact({ success: [put("k", bytes(`${round}`))] });
    await etcd.kill();
    await etcd.start();
    await store.transact({ success: [put("k", bytes(`${round} again`)), remove("none")] });
  }
  await expect.poll(() => events.length, { timeout: 20_000 }).toBe(5);
  const expected = ["0", "1", "1 again", "2", "2 again"];
  expect(events.map(told)).toEqual(
    expected.map((value, index) => `put k=${value} @${revision + BigInt(index)}`),
  );
  expect(interruptions.length).toBeGreaterThan(0);
  abort.abort();
  expect(await ended).toBe("ended");
});

test("a watch that comes back after a compaction is told so", async () => {
  const { proxy, endpoint } = await proxied();
  const prefix = "/faults/compacted/";
  const writer = open({ prefix });
  const reader = open({ prefix, endpoints: [endpoint] });
  const { revision } = await writer.transact({ success: [put("k", bytes("1"))] });
  const { events, ended } = follow(reader.watch({ range: ALL_KEYS, from: revision }));
  await expect.poll(() => events.length).toBe(1);
  proxy.holdAnswers();
  await writer.transact({ success: [put("k", bytes("2"))] });
  const last = await writer.transact({ success: [put("k", bytes("3"))] });
  await writer.compact(last.revision);
  proxy.cut();
  expect(await ended).toMatchObject({ code: "COMPACTED" });
  expect(events).toHaveLength(1);
});

test("a lease is kept over a restart of etcd", async () => {
  const store = open();
  const lease = await store.grantLease(6);
  await store.transact({ success: [put("k", bytes("1"), lease.id)] });
  const kept = store.keepLease(lease);
  await etcd.kill();
  await etcd.start();
  await expect
    .poll(() => store.refreshLease(lease.id), { timeout: 10_000 })
    .toMatchObject({ seconds: 6 });
  expect((await store.get("k")).entry).toBeDefined();
  expect(kept.lost.aborted).toBe(false);
  kept.stop();
  await store.revokeLease(lease.id);
});

test("an etcd that is away is told by name, with the reason, in the time given", async () => {
  const endpoints = [await deadEndpoint(), await deadEndpoint()];
  const store = open({ endpoints });
  const read = await store.get("k", { deadlineMs: 300 }).catch((error) => error);
  expect(read).toMatchObject({ code: "UNAVAILABLE", maybeApplied: false });
  for (const endpoint of endpoints) expect(read.message).toContain(new URL(endpoint).host);
  expect(read.message).toContain("ECONNREFUSED");
  // It was never sent, so it is known not to be applied.
  const write = store.transact({ success: [put("k", bytes("1"))] }, { deadlineMs: 300 });
  await expect(write).rejects.toMatchObject({ code: "UNAVAILABLE", maybeApplied: false });
  const lost = store.keepLease({ id: 1n, seconds: 1 });
  await expect.poll(() => lost.lost.aborted, { timeout: 10_000 }).toBe(true);
  expect(lost.lost.reason).toMatchObject({ code: "UNAVAILABLE" });
});

test("a call that waits for an etcd that is away ends when its caller or the store says so", async () => {
  const store = open({ endpoints: [await deadEndpoint()] });
  const abort = new AbortController();
  const cancelled = store.get("k", { deadlineMs: 30_000, signal: abort.signal });
  const closed = store.get("k", { deadlineMs: 30_000 });
  const watch = follow(store.watch({ range: ALL_KEYS, from: 1n }));
  setTimeout(() => abort.abort(), 50);
  await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
  await store.close();
  await expect(closed).rejects.toMatchObject({ code: "CLOSED" });
  expect(await watch.ended).toMatchObject({ code: "CLOSED" });
});

test("an etcd that hangs ends calls at their deadline; a write may have been applied", async () => {
  const store = open();
  await store.get("k");
  await etcd.suspend();
  try {
    const read = store.get("k", { deadlineMs: 300 });
    await expect(read).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED", maybeApplied: false });
    const write = store.transact({ success: [put("k", bytes("1"))] }, { deadlineMs: 300 });
    await expect(write).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED", maybeApplied: true });
  } finally {
    etcd.resume();
  }
  await store.transact({ success: [put("k", bytes("2"))] });
});

test("goes on to another endpoint where one is gone, and where one hangs", async () => {
  const gone = open({ endpoints: [await deadEndpoint(), etcd.endpoint] });
  const { revision } = await gone.transact({ success: [put("k", bytes("1"))] });
  expect((await gone.get("k")).revision).toBe(revision);

  const { proxy, endpoint } = await proxied();
  const prefix = "/faults/hangs/";
  const store = open({ prefix, endpoints: [endpoint, etcd.endpoint] });
  const lease = await store.grantLease(60);
  const first = await store.transact({ success: [put("k", bytes("1"))] });
  const abort = new AbortController();
  const { events } = follow(
    store.watch({ range: ALL_KEYS, from: first.revision, signal: abort.signal }),
  );
  await expect.poll(() => events.length).toBe(1);
  proxy.holdAnswers();
  expect((await store.get("k", { deadlineMs: 1_000 })).entry).toBeDefined();
  expect(await store.refreshLease(lease.id, { deadlineMs: 1_000 })).toMatchObject({ seconds: 60 });
  await store.transact({ success: [put("k", bytes("2"))] });
  proxy.cut();
  await expect.poll(() => events.length, { timeout: 10_000 }).toBe(2);
  abort.abort();
  await store.revokeLease(lease.id);
});

test("a transaction whose answer is lost is not tried again, and says that it may be applied", async () => {
  const { proxy, endpoint } = await proxied();
  const prefix = "/faults/answer/";
  const store = open({ prefix, endpoints: [endpoint, etcd.endpoint] });
  const { revision } = await store.transact({ success: [put("counter", bytes("1"))] });
  proxy.holdAnswers();
  const write = store.transact({ success: [put("counter", bytes("2"))] });
  write.catch(() => {});
  const direct = open({ prefix });
  await firstEvents(direct.watch({ range: ALL_KEYS, from: revision + 1n }), 1);
  proxy.cut();
  await expect(write).rejects.toMatchObject({ code: "UNAVAILABLE", maybeApplied: true });
  expect((await store.get("counter")).entry).toMatchObject({ version: 2n });
});

test("a read whose answer is lost is made again", async () => {
  const { proxy, endpoint } = await proxied();
  const prefix = "/faults/read/";
  const store = open({ prefix, endpoints: [endpoint] });
  await store.transact({ success: [put("k", bytes("1"))] });
  proxy.holdAnswers();
  const read = store.get("k");
  setTimeout(() => proxy.cut(), 100);
  expect((await read).entry?.value).toEqual(bytes("1"));
});

test("over cuts and kills, what is acknowledged is there, what is refused is not, and a watch tells all once", async () => {
  const { proxy, endpoint } = await proxied();
  const store = open({ endpoints: [endpoint], deadlineMs: 10_000 });
  const unknown = await writeThrough(store, async () => {
    for (let round = 0; round < 12; round++) {
      await sleep(40 + Math.random() * 80);
      if (round % 5 === 3) {
        await etcd.kill();
        await etcd.start();
      } else proxy.cut();
    }
  });
  expect(unknown).toBeGreaterThan(0);
});

test("an etcd that was restored from an older copy is found out", async () => {
  const store = open();
  await store.transact({ success: [put("k", bytes("1"))] });
  await etcd.kill();
  const copy = `${etcd.dataDirectory}-copy`;
  cpSync(etcd.dataDirectory, copy, { recursive: true });
  await etcd.start();
  const { revision } = await store.transact({ success: [put("k", bytes("2"))] });
  const { events, ended } = follow(store.watch({ range: ALL_KEYS, from: revision }));
  await expect.poll(() => events.length).toBe(1);
  await etcd.kill();
  rmSync(etcd.dataDirectory, { recursive: true });
  cpSync(copy, etcd.dataDirectory, { recursive: true });
  rmSync(copy, { recursive: true });
  await etcd.start();
  expect(await ended).toMatchObject({ code: "HISTORY_LOST" });
  expect(contents((await store.range({ range: ALL_KEYS })).entries)).toEqual({ k: "1" });
});

// The last one: etcd takes no writes after it.
test("an etcd whose quota is used up says NO_SPACE, and reads go on", async () => {
  const store = open();
  const value = new Uint8Array(1_000_000);
  let written = 0;
  const fill = async () => {
    for (; ; written++) await store.transact({ success: [put(`k/${written}`, value)] });
  };
  await expect(fill()).rejects.toMatchObject({ code: "NO_SPACE", maybeApplied: false });
  const { count: found } = await store.range({ range: ALL_KEYS, keysOnly: true });
  expect(found).toBe(written);
  await expect(store.grantLease(60)).rejects.toMatchObject({ code: "NO_SPACE" });
});
