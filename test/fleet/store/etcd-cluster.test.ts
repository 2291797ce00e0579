import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { openEtcdStore, put } from "#dist/fleet/store/index.js";
import { bytes } from "../store-contract/fixture.ts";
import { startEtcdCluster } from "../support/etcd.ts";
import { writeThrough } from "../support/write-through.ts";

test("a cluster whose members are killed, stopped and started again loses nothing, and tells all once", async () => {
  const members = await startEtcdCluster(3);
  onTestFinished(async () => {
    await Promise.all(members.map((member) => member.dispose()));
  });
  const endpoints = members.map(({ endpoint }) => endpoint);
  const store = openEtcdStore({ endpoints, prefix: "/cluster/", deadlineMs: 10_000 });
  onTestFinished(() => store.close());
  const lease = await store.grantLease(10);
  await store.transact({ success: [put("leased", bytes("1"), lease.id)] });
  const kept = store.keepLease(lease);
  await writeThrough(store, async () => {
    // One of them leads, wherever that is.
    for (const member of members) {
      await sleep(200);
      await member.kill();
      await sleep(200);
      await member.start();
    }
    await members[0]!.suspend();
    await sleep(1_500);
    members[0]!.resume();
  });
  expect(kept.lost.aborted).toBe(false);
  expect((await store.get("leased")).entry).toBeDefined();
  kept.stop();
});

test("a cluster without a majority answers nobody, and says so", async () => {
  const [one, ...others] = await startEtcdCluster(3);
  onTestFinished(async () => {
    await Promise.all([one!, ...others].map((member) => member.dispose()));
  });
  const store = openEtcdStore({ endpoints: [one!.endpoint], prefix: "/minority/" });
  onTestFinished(() => store.close());
  await store.transact({ success: [put("k", bytes("1"))] });
  await Promise.all(others.map((member) => member.kill()));
  const unreachable = { code: expect.stringMatching(/^(UNAVAILABLE|DEADLINE_EXCEEDED)$/) };
  await expect(store.get("k", { deadlineMs: 3_000 })).rejects.toMatchObject(unreachable);
  await Promise.all(others.map((member) => member.start()));
  expect((await store.get("k", { deadlineMs: 10_000 })).entry?.version).toBe(1n);
});
