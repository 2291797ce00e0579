import { Liveness, MapType } from "@bpfmapd/client/proto";
import { beforeAll, expect, it, vi } from "vitest";
import type { TestDaemon } from "../../support/daemon.js";
import { startEtcd, type TestEtcd } from "../support/etcd.js";
import { untilConnected, untilHosts } from "../support/fleet.js";
import { SecureFleet, type SecureRelay } from "../support/secure-fleet.js";

const RULES = [{ controller: "c", verbs: "all" as const }];
const HELD = { ref: { case: "held" as const, value: "far" } };

let etcd: TestEtcd;
let fleets = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  return () => etcd.dispose();
});

const onEtcd = () =>
  new SecureFleet(["--etcd", etcd.endpoint, "--etcd-prefix", `/test-${++fleets}/`]);

const relayOf = async (asked: SecureRelay, id: string) =>
  (await untilConnected(asked.daemon, id)).get(id)?.relay;

it("calls hosts that have their session with another relay", async () => {
  const secure = onEtcd();
  const [near, far] = [await secure.relay("near"), await secure.relay("far")];
  const host = await secure.host("h-far", [far], RULES);
  await secure.host("h-near", [near], RULES);
  await untilConnected(near.daemon, "h-far", "h-near");
  await host.client.maps.createMap({
    spec: { type: MapType.HASH, name: "far", keySize: 4, valueSize: 4, maxEntries: 4 },
    hold: { name: "far" },
  });
  const fleet = secure.fleet(near, "c");
  const hosts = { hostIds: ["h-far"] };
  const elements = { count: 1, keys: Uint8Array.of(1, 2, 3, 4), values: Uint8Array.of(5, 6, 7, 8) };

  const all = await fleet.fanOut("listMaps", {}).all();
  expect(all.summary).toMatchObject({ matched: 2, ok: 2 });
  const load = [
    { kind: { case: "start" as const, value: { map: HELD } } },
    { kind: { case: "elements" as const, value: elements } },
  ];
  expect((await fleet.fanOut("loadMap", load, { hosts }).all()).summary).toMatchObject({ ok: 1 });
  const missing = { map: { ref: { case: "held" as const, value: "none" } } };
  const [failed] = (await fleet.fanOut("getMap", missing, { hosts }).all()).results;
  expect(failed).toMatchObject({ outcome: "failed", error: { reason: "HOLD_NOT_FOUND" } });
  const dumped: Uint8Array[] = [];
  for await (const event of fleet.fanOut("dumpMap", { map: HELD }, { hosts })) {
    if (event.kind !== "message" || event.response.kind.case !== "elements") continue;
    dumped.push(event.response.kind.value.values);
  }
  expect(dumped).toEqual([elements.values]);
});

it("cancels a call by another relay when nobody listens any more", async () => {
  const secure = onEtcd();
  const [near, far] = [await secure.relay("near"), await secure.relay("far")];
  const host = await secure.host("h-far", [far], RULES, { logLevel: "debug" });
  await untilConnected(near.daemon, "h-far");
  await host.client.maps.createMap({
    spec: { type: MapType.HASH, name: "far", keySize: 4, valueSize: 4, maxEntries: 4 },
    hold: { name: "far" },
  });
  for await (const event of secure.fleet(near, "c").fanOut("watch", { map: HELD })) {
    if (event.kind === "message") break;
  }
  const isOver = (line: TestDaemon["logs"][number]) =>
    line.rpc === "bpfmap.v1.MapService/Watch" && line.status === "CANCELLED";
  await vi.waitFor(() => expect(host.logs.some(isOver)).toBe(true), { timeout: 5000 });
});

it("has hosts on another relay when theirs is killed, and loses no call of those that come", async () => {
  const secure = onEtcd();
  const relays = [await secure.relay("r1"), await secure.relay("r2")];
  await secure.host("h1", relays, RULES);
  const [first, second] = relays as [SecureRelay, SecureRelay];
  const at = await relayOf(first, "h1");
  const [theirs, other] = at === "r1" ? [first, second] : [second, first];
  const fleet = secure.fleet(other, "c");
  expect((await fleet.fanOut("listMaps", {}).all()).summary).toMatchObject({ ok: 1 });
  await theirs.daemon.kill();
  await untilHosts(other.daemon, (hosts) => hosts.get("h1")?.relay === other.id);
  expect((await fleet.fanOut("listMaps", {}).all()).summary).toMatchObject({ ok: 1 });
});

it("sends hosts to another relay when it stops, and lets calls under way end", async () => {
  const secure = onEtcd();
  const relays = [await secure.relay("r1"), await secure.relay("r2")];
  const host = await secure.host("h1", relays, RULES);
  const [first, second] = relays as [SecureRelay, SecureRelay];
  const [theirs, other] = (await relayOf(first, "h1")) === "r1" ? [first, second] : [second, first];
  const fleet = secure.fleet(other, "c");
  // One call after the other, all the while: the host is never without a relay that reaches it.
  const results: string[] = [];
  let isStopped = false;
  const calling = (async () => {
    while (!isStopped) {
      const { results: one } = await fleet.fanOut("listMaps", {}).all();
      results.push(...one.map(({ outcome, error }) => `${outcome} ${error?.message ?? ""}`));
    }
  })();
  await theirs.daemon.stop();
  await untilHosts(other.daemon, (hosts) => hosts.get("h1")?.relay === other.id);
  isStopped = true;
  await calling;
  expect([...new Set(results)]).toEqual(["ok "]);
  expect(JSON.stringify(host.logs)).toContain("about to stop");
});

it("answers by what it knows while the store is away, and takes hosts in when it is back", async () => {
  const own = await startEtcd();
  try {
    const secure = new SecureFleet(["--etcd", own.endpoint]);
    const relay = await secure.relay("r1");
    await secure.host("h1", [relay], RULES);
    await untilConnected(relay.daemon, "h1");
    const fleet = secure.fleet(relay, "c");
    await own.suspend();
    expect((await fleet.hosts()).map(({ id }) => id)).toEqual(["h1"]);
    expect((await fleet.fanOut("listMaps", {}).all()).summary).toMatchObject({ ok: 1 });
    const late = secure.host("h2", [relay], RULES);
    await late;
    own.resume();
    const hosts = await untilConnected(relay.daemon, "h1", "h2");
    expect(hosts.get("h2")?.liveness).toBe(Liveness.CONNECTED);
  } finally {
    await own.dispose();
  }
});
