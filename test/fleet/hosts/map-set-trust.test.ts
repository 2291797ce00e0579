import { join } from "node:path";
import { Fleet } from "@bpfmapd/client";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../../daemon/support/run.js";
import { bpftoolDump } from "../../maps/support/bpftool.js";
import { numbers } from "../sets-contract/fixture.ts";
import { startEtcd } from "../support/etcd.ts";
import { OWN_MEMORY, OWN_STORE, untilConnected } from "../support/fleet.js";
import { holdMap, putSetBy, specFor, untilApplied, untilStatus } from "../support/map-sets.ts";
import { auditLines, policyFile, RELAY_POLICY, SecureFleet } from "../support/secure-fleet.js";

const WITH_CONTROLLERS = {
  ...RELAY_POLICY,
  fleet: { ...RELAY_POLICY.fleet, controllers: ["controllers"] },
};

it("is written and read by controllers of the relay's policy, and by nobody else", async () => {
  const secure = new SecureFleet(OWN_STORE);
  const relay = await secure.relay("r1");
  const client = secure.client(relay, "some");
  const denied = { reason: "ACCESS_DENIED", message: expect.stringContaining("fleet.controllers") };
  await expect(putSetBy(client, "s", specFor("m"), [])).rejects.toMatchObject(denied);
  await expect(client.fleet.patchMapSet({ name: "s" })).rejects.toMatchObject(denied);
  await expect(client.fleet.deleteMapSet({ name: "s" })).rejects.toMatchObject(denied);
  const read = async () => {
    for await (const _ of client.fleet.getMapSet({ name: "s" }));
  };
  await expect(read()).rejects.toMatchObject(denied);
  expect((await client.fleet.listMapSets({})).mapSets).toEqual([]);
});

it("does to a host's map what the host's policy lets its writer do, and the audits tell of it", async () => {
  const secure = new SecureFleet(OWN_STORE);
  const relayAudit = join(temporaryDirectory(), "relay.jsonl");
  const audit = join(temporaryDirectory(), "host.jsonl");
  const relay = await secure.relay("r1", {
    policy: WITH_CONTROLLERS,
    args: ["--audit-file", relayAudit],
  });
  const rules = [
    { controller: "reader", verbs: ["list", "read"] },
    { controller: "writer", verbs: "all" as const },
  ];
  const args = [...OWN_MEMORY, "--audit-file", audit, "--fleet-verify-ms", "300"];
  const host = await secure.host("h1", [relay], rules, { args });
  await untilConnected(relay.daemon, "h1");
  const id = await holdMap(host, "guarded");
  await putSetBy(secure.client(relay, "reader"), "s", specFor("guarded"), numbers(0, 3));
  const { hosts } = await untilStatus(relay.daemon, "s", ({ totals }) => totals.failed === 1);
  expect(hosts.get("h1")).toMatchObject({
    ...{ errorReason: "ACCESS_DENIED", appliedGeneration: 0n },
    errorMessage: expect.stringContaining("spiffe://test/controller/reader"),
  });
  expect(bpftoolDump(id).size).toBe(0);

  const { mapSet } = await putSetBy(
    secure.client(relay, "writer"),
    "s",
    specFor("guarded"),
    numbers(0, 4),
  );
  expect(mapSet?.writer).toBe("spiffe://test/controller/writer");
  await untilApplied(relay.daemon, "s", 2n, 1);
  expect(bpftoolDump(id).size).toBe(4);
  expect(
    auditLines(audit).find(({ outcome, event }) => outcome === "OK" && event === "end"),
  ).toMatchObject({
    ...{ rpc: "bpfmap.v1.MapService/LoadMap", caller: "spiffe://test/controller/writer" },
    ...{ relay: "spiffe://test/relay/r1", client_request: "set:s/2" },
  });
  expect(auditLines(relayAudit).find(({ event }) => event === "end")).toMatchObject({
    ...{ rpc: "bpfmap.fleet.v1.FleetService/PutMapSet", name: "s", outcome: "OK" },
    caller: "spiffe://test/controller/reader",
  });

  // What the host's policy takes back, a set does not do any more.
  policyFile({ ...JSON.parse(JSON.stringify(WITH_CONTROLLERS)), rules: [] }, host.policy);
  await untilStatus(relay.daemon, "s", ({ totals }) => totals.failed === 1);
});

it("reaches hosts of all relays, whichever relay it was put by", async () => {
  const etcd = await startEtcd();
  try {
    const secure = new SecureFleet(["--etcd", etcd.endpoint]);
    const policy = WITH_CONTROLLERS;
    const one = await secure.relay("r1", { policy });
    const two = await secure.relay("r2", { policy });
    const rules = [{ controller: "writer", verbs: "all" as const }];
    const first = await secure.host("h1", [one], rules, { args: OWN_MEMORY });
    const second = await secure.host("h2", [two], rules, { args: OWN_MEMORY });
    await untilConnected(one.daemon, "h1", "h2");
    const ids = [await holdMap(first, "m"), await holdMap(second, "m")];
    await putSetBy(secure.client(one, "writer"), "s", specFor("m"), numbers(0, 5000));
    const { hosts } = await untilApplied(two.daemon, "s", 1n, 2);
    expect([...hosts.keys()].sort()).toEqual(["h1", "h2"]);
    await untilApplied(one.daemon, "s", 1n, 2);
    for (const id of ids) expect(bpftoolDump(id).size).toBe(5000);
    // Etcd away: hosts keep what they have, and catch up when it is back.
    await etcd.kill();
    await etcd.start();
    await putSetBy(secure.client(two, "writer"), "s", specFor("m"), numbers(0, 10));
    await untilApplied(one.daemon, "s", 2n, 2);
    for (const id of ids) expect(bpftoolDump(id).size).toBe(10);
    expect(await new Fleet(one.daemon.client).hosts({})).toHaveLength(2);
  } finally {
    await etcd.dispose();
  }
}, 120_000);
