import type { FleetWatchEvent } from "@bpfmapd/client";
import { NumberType } from "@bpfmapd/client/proto";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { startEtcd, type TestEtcd } from "../support/etcd.js";
import { untilConnected } from "../support/fleet.js";
import { count, HELD, keyOf, makeCounters } from "../support/fleet-maps.js";
import { SecureFleet } from "../support/secure-fleet.js";

let etcd: TestEtcd;
let fleets = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  return () => etcd.dispose();
});

const onEtcd = () =>
  new SecureFleet(["--etcd", etcd.endpoint, "--etcd-prefix", `/numbers-${++fleets}/`]);

const COUNTER = [{ offset: 0, type: NumberType.U64 }];
const MAP = { held: HELD };

it("folds hosts of all relays, and only those that let the caller read", async () => {
  const secure = onEtcd();
  const [near, far] = [await secure.relay("near"), await secure.relay("far")];
  const reads = (controller: string) => ({ controller, verbs: ["read"] });
  const a = await secure.host("h-near", [near], [reads("both"), reads("one")]);
  const b = await secure.host(
    "h-far",
    [far],
    [reads("both"), { controller: "one", verbs: ["list"] }],
  );
  await untilConnected(near.daemon, "h-near", "h-far");
  for (const host of [a, b]) await makeCounters(host);
  await count(a, { 1: 10 });
  await count(b, { 1: 5, 2: 7 });

  const all = await secure.fleet(near, "both").aggregate(MAP, COUNTER, { top: { limit: 2 } });
  expect(all.coverage).toMatchObject({ matched: 2, answered: 2 });
  expect(all.totals[0]).toMatchObject({ count: 3n, sum: 22n });
  expect(all.top!.keys[0]).toMatchObject({ atLeast: 15n, atMost: 15n, hosts: 2 });

  const { coverage, totals } = await secure.fleet(near, "one").aggregate(MAP, COUNTER);
  expect(coverage).toMatchObject({ matched: 2, answered: 1, failed: 1 });
  expect(coverage.failures).toMatchObject([
    { hostId: "h-far", error: { reason: "ACCESS_DENIED", metadata: { verb: "read" } } },
  ]);
  expect(totals[0]).toMatchObject({ sum: 10n });
});

it("watches on through another relay when that of a host is killed", async () => {
  const secure = onEtcd();
  const relays = [await secure.relay("r1"), await secure.relay("r2")];
  const watches = { controller: "watcher", verbs: ["watch"] };
  const moving = await secure.host("h-moves", relays, [watches]);
  const hosts = await untilConnected(relays[0]!.daemon, "h-moves");
  const [far, near] = relays.sort(({ id }) => (id === hosts.get("h-moves")!.relay ? -1 : 1));
  await secure.host("h-denies", [near!], [{ controller: "watcher", verbs: ["list"] }]);
  await untilConnected(near!.daemon, "h-denies");
  await makeCounters(moving);
  await count(moving, { 1: 1 });

  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const watch = secure.fleet(near!, "watcher").watch(MAP, {
    signal: stop.signal,
    pollIntervalMs: 20,
    bookmarkIntervalMs: 100,
  });
  const counters = new Map<number, bigint>();
  const told: FleetWatchEvent[] = [];
  const events = watch[Symbol.asyncIterator]();
  const until = async (isRight: () => boolean) => {
    while (!isRight()) {
      const event = (await events.next()).value as FleetWatchEvent;
      if (event.kind !== "event") told.push(event);
      else if (event.event.type === "put") {
        const { key, value } = event.event;
        counters.set(keyOf(key), Buffer.from(value).readBigUInt64LE());
      }
    }
  };
  await until(() => watch.positions.has("h-moves") && told.some(({ kind }) => kind === "lost"));
  expect(counters).toEqual(new Map([[1, 1n]]));
  expect(told.find(({ kind }) => kind === "lost")).toMatchObject({
    hostId: "h-denies",
    error: { reason: "ACCESS_DENIED" },
  });

  await far!.daemon.kill();
  await until(() => told.some((event) => event.kind === "lost" && event.hostId === "h-moves"));
  await count(moving, { 2: 2 });
  await until(() => counters.get(2) === 2n);
  const begun = told.filter((event) => event.kind === "begun" && event.hostId === "h-moves");
  expect(begun).toMatchObject([{ resumed: false }, { resumed: true }]);
  await events.return?.();
});
