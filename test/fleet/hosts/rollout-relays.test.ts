import { type Elements, RolloutPhase } from "@bpfmapd/client/proto";
import { expect, it } from "vitest";
import { openEtcdStore } from "#dist/fleet/index.js";
import { rolloutKeys } from "#dist/fleet/rollout/index.js";
import { bpftoolDump } from "../../maps/support/bpftool.js";
import { elementsOf, numbers } from "../sets-contract/fixture.ts";
import { startEtcd } from "../support/etcd.ts";
import { startHost, startRelay, untilConnected } from "../support/fleet.js";
import { holdMap, putSet, specFor, untilApplied } from "../support/map-sets.ts";

/** The relay that drives rollouts. */
async function driverOf(endpoint: string): Promise<string | undefined> {
  const store = openEtcdStore({ endpoints: [endpoint], prefix: "/bpfmap/fleet/" });
  try {
    const { entry } = await store.get(rolloutKeys.driver());
    return entry && Buffer.from(entry.value).toString();
  } finally {
    await store.close();
  }
}

it("goes on by another relay where the one that drives it is killed, with the hosts it had", async () => {
  const etcd = await startEtcd();
  try {
    const store = { args: ["--etcd", etcd.endpoint] };
    const one = await startRelay("relay-1", store);
    const ids = ["host-a", "host-b", "host-c"];
    // The first one drives, since it was there before the other.
    await expect.poll(() => driverOf(etcd.endpoint), { timeout: 20_000 }).toBe("relay-1");
    const two = await startRelay("relay-2", store);
    const hosts = await Promise.all(ids.map((id) => startHost(id, [one, two])));
    await untilConnected(two, ...ids);
    const maps = await Promise.all(hosts.map((host) => holdMap(host, "moved")));
    await putSet(one, "moved", specFor("moved"), numbers(0, 10));
    await untilApplied(two, "moved", 1n, 3);
    async function* requests() {
      const waves = [1, 2].map((value) => ({ size: { case: "hosts" as const, value } }));
      const all = { size: { case: "percent" as const, value: 100 } };
      const rollout = { waves: [...waves, all], bakeTime: { seconds: 5n } };
      const value = { name: "moved", spec: specFor("moved"), rollout };
      yield { kind: { case: "start" as const, value } };
      const elements = elementsOf([...numbers(0, 20)]) as Elements;
      yield { kind: { case: "elements" as const, value: elements } };
    }
    await one.client.fleet.putMapSet(requests());
    const watched = async (phase: RolloutPhase) => {
      let last = "";
      const answers = two.client.fleet.watchRollout({ name: "moved" }, { deadlineMs: 60_000 });
      for await (const { rollout } of answers) {
        last = JSON.stringify([rollout?.phase, rollout?.waitsMessage, rollout?.failure?.message]);
        if (rollout?.phase === phase) return rollout;
      }
      throw new Error(`the rollout has ended otherwise: ${last}`);
    };
    await watched(RolloutPhase.BAKING);
    await one.kill();
    const done = await watched(RolloutPhase.COMPLETED);
    expect(done).toMatchObject({ wave: 3, history: expect.any(Array) });
    expect(
      done.history.filter(({ what }) => what === "began" || what === "completed"),
    ).toHaveLength(2);
    expect(maps.map((id) => bpftoolDump(id).size)).toEqual([20, 20, 20]);
    expect(await driverOf(etcd.endpoint)).toBe("relay-2");
  } finally {
    await etcd.dispose();
  }
}, 150_000);
