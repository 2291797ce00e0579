import { type FanOutOutcome, Fleet, type HostResult, status } from "@bpfmapd/client";
import { type LookupElementsResponse, MapType } from "@bpfmapd/client/proto";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { TestDaemon } from "../../support/daemon.js";
import { startHost, startRelay, untilConnected } from "../support/fleet.js";

const HELD = { ref: { case: "held" as const, value: "shared" } };
const KEY = Uint8Array.of(1, 0, 0, 0);

let relay: TestDaemon;
let fleet: Fleet;
let hosts: TestDaemon[];

const tally = ({ summary }: FanOutOutcome<unknown>) => {
  const { matched, ok, failed, unreachable, skipped } = summary;
  return { matched, ok, failed, unreachable, skipped };
};
const byHost = <O>({ results }: FanOutOutcome<O>) =>
  new Map(results.map((result): [string, HostResult<O>] => [result.hostId, result]));

beforeAll(async () => {
  relay = await startRelay("relay-1");
  fleet = new Fleet(relay.client);
  hosts = await Promise.all(
    ["a", "b", "c"].map((id) =>
      startHost(id, [relay], { args: ["--label", `name=${id}`], logLevel: "debug" }),
    ),
  );
  await untilConnected(relay, "a", "b", "c");
  const spec = { type: MapType.HASH, name: "shared", keySize: 4, valueSize: 8, maxEntries: 10 };
  const made = await fleet.fanOut("createMap", { spec, hold: { name: "shared" } }).all();
  expect(tally(made)).toEqual({ matched: 3, ok: 3, failed: 0, unreachable: 0, skipped: 0 });
  return async () => {
    await Promise.all([...hosts, relay].map((daemon) => daemon.dispose()));
  };
});

beforeEach(async () => {
  await fleet.fanOut("clearMap", { map: HELD }).all();
});

const elements = (value: number) => ({
  count: 1,
  keys: KEY,
  values: new Uint8Array(new BigUint64Array([BigInt(value)]).buffer),
});

it("makes a call on every host that matches, and tells each host's answer", async () => {
  for (const [index, name] of ["a", "b", "c"].entries()) {
    const chosen = { hosts: { labels: { name } } };
    await fleet.fanOut("updateElements", { map: HELD, elements: elements(index) }, chosen).all();
  }
  const request = { map: HELD, keys: KEY, count: 1 };
  const outcome = await fleet.fanOut("lookupElements", request).all();
  expect(tally(outcome)).toMatchObject({ matched: 3, ok: 3 });
  const read = (result?: HostResult<LookupElementsResponse>) =>
    result?.response?.elements?.values[0];
  expect([...byHost(outcome)].map(([id, result]) => [id, read(result)]).sort()).toEqual([
    ["a", 0],
    ["b", 1],
    ["c", 2],
  ]);
});

it("tells what fails on a host as that host's result, with the host's own reason", async () => {
  const keys = KEY;
  await hosts[1]?.client.maps.updateElements({ map: HELD, elements: elements(7) });
  const outcome = await fleet.fanOut("lookupElements", { map: HELD, keys, count: 1 }).all();
  expect(tally(outcome)).toEqual({ matched: 3, ok: 1, failed: 2, unreachable: 0, skipped: 0 });
  const { outcome: what, error, maybeDone, response } = byHost(outcome).get("a") ?? {};
  expect({ what, maybeDone, response }).toEqual({
    what: "failed",
    maybeDone: false,
    response: undefined,
  });
  expect(error).toMatchObject({ code: status.NOT_FOUND, reason: "ELEMENT_NOT_FOUND" });
});

it("says so where the selector matches no host", async () => {
  const none = fleet.fanOut("listMaps", {}, { hosts: { labels: { name: "z" } } }).all();
  await expect(none).rejects.toMatchObject({
    code: status.NOT_FOUND,
    reason: "NO_HOST_MATCHES",
    metadata: { hosts: "3" },
  });
});

it("tells a host that is named and not known as unreachable", async () => {
  const outcome = await fleet.fanOut("listMaps", {}, { hosts: { hostIds: ["a", "zz"] } }).all();
  expect(tally(outcome)).toMatchObject({ matched: 2, ok: 1, unreachable: 1 });
  expect(byHost(outcome).get("zz")?.error).toMatchObject({ reason: "HOST_UNREACHABLE" });
});

it("skips the hosts that are left after too many failures", async () => {
  const missing = { map: { ref: { case: "held" as const, value: "not-there" } } };
  const options = { concurrency: 1, maxFailures: 2 };
  const outcome = await fleet.fanOut("getMap", missing, options).all();
  expect(tally(outcome)).toEqual({ matched: 3, ok: 0, failed: 2, unreachable: 0, skipped: 1 });
});

it("ends a call that takes a host too long, and skips those that there is no time for", async () => {
  const endless = fleet.fanOut("watch", { map: HELD }, { hostTimeoutMs: 500 });
  const late = await endless.all();
  expect(tally(late)).toMatchObject({ matched: 3, failed: 3 });
  expect(late.results[0]?.error).toMatchObject({ code: status.DEADLINE_EXCEEDED });

  const options = { concurrency: 1, timeoutMs: 700, hostTimeoutMs: 5000 };
  const outcome = await fleet.fanOut("watch", { map: HELD }, options).all();
  expect(tally(outcome)).toEqual({ matched: 3, ok: 0, failed: 1, unreachable: 0, skipped: 2 });
});

it("tells each message of an answer that is a stream", async () => {
  await fleet.fanOut("updateElements", { map: HELD, elements: elements(5) }).all();
  const counts: Record<string, number> = {};
  for await (const event of fleet.fanOut("dumpMap", { map: HELD })) {
    if (event.kind !== "message") continue;
    const { kind } = event.response;
    if (kind.case === "elements") {
      counts[event.hostId] = (counts[event.hostId] ?? 0) + kind.value.count;
    }
  }
  expect(counts).toEqual({ a: 1, b: 1, c: 1 });
});

it("sends several requests to an RPC that takes a stream of them", async () => {
  const load = [
    { kind: { case: "start" as const, value: { map: HELD } } },
    { kind: { case: "elements" as const, value: elements(9) } },
  ];
  const outcome = await fleet.fanOut("loadMap", load).all();
  expect(tally(outcome)).toMatchObject({ matched: 3, ok: 3 });
  expect(outcome.results[0]?.response).toMatchObject({ received: 1n });
});

describe("refuses before any host hears of it", () => {
  const refused = (request: object) =>
    relay.client.fleet.fanOut({ selector: {}, ...request }).next();
  const any = (type: string, value = new Uint8Array()) => ({
    typeUrl: `type.googleapis.com/${type}`,
    value,
  });

  it.each([
    ["a request that is none of MapService", [any("bpfmap.v1.GetHostRequest")]],
    ["a pipeline", [any("bpfmap.v1.PipelineRequest")]],
    ["a type that is not known", [any("example.Nothing")]],
    ["a request that breaks its rules", [any("bpfmap.v1.GetMapRequest")]],
    ["bytes that are no message", [any("bpfmap.v1.GetMapRequest", Uint8Array.of(255))]],
    [
      "several requests of one call",
      [any("bpfmap.v1.ListMapsRequest"), any("bpfmap.v1.ListMapsRequest")],
    ],
    ["no request", []],
  ])("%s", async (_what, requests) => {
    await expect(refused({ requests })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      reason: "FIELD_INVALID",
    });
  });
});

it("cancels the calls on hosts when nobody listens any more", async () => {
  for await (const event of fleet.fanOut("watch", { map: HELD })) {
    if (event.kind === "message") break;
  }
  const isOver = ({ logs }: TestDaemon) =>
    logs.some((line) => line.rpc === "bpfmap.v1.MapService/Watch" && line.status === "CANCELLED");
  await vi.waitFor(() => expect(hosts.every(isOver)).toBe(true), { timeout: 5000 });
});

it("answers other calls of a host while one that is not read waits", async () => {
  const spec = {
    type: MapType.ARRAY,
    name: "large",
    keySize: 4,
    valueSize: 1024,
    maxEntries: 65_536,
  };
  const only = { hosts: { hostIds: ["c"] } };
  await fleet.fanOut("createMap", { spec, hold: { name: "large" } }, only).all();
  const large = { map: { ref: { case: "held" as const, value: "large" } } };
  const stalled = fleet.fanOut("dumpMap", large, only)[Symbol.asyncIterator]();
  await stalled.next();
  for (let call = 0; call < 20; call++) {
    const outcome = await fleet.fanOut("getMap", large, only).all();
    expect(tally(outcome)).toMatchObject({ ok: 1 });
  }
  let bytes = 0;
  for (let next = await stalled.next(); !next.done; next = await stalled.next()) {
    if (next.value.kind !== "message" || next.value.response.kind.case !== "elements") continue;
    bytes += next.value.response.kind.value.values.length;
  }
  expect(bytes).toBeGreaterThan(63 * 1024 * 1024);
  await fleet.fanOut("releaseMap", { name: "large" }, only).all();
});

it("tells a host that is killed under the call as unreachable, and that it may be done", async () => {
  const host = await startHost("doomed", [relay]);
  await untilConnected(relay, "doomed");
  const [map] = await Promise.all([
    host.client.maps.createMap({
      spec: { type: MapType.HASH, name: "doomed", keySize: 4, valueSize: 4, maxEntries: 1 },
      hold: { name: "doomed" },
    }),
  ]);
  expect(map.created).toBe(true);
  const ref = { ref: { case: "held" as const, value: "doomed" } };
  const events = fleet.fanOut("watch", { map: ref }, { hosts: { hostIds: ["doomed"] } });
  const results: HostResult<unknown>[] = [];
  for await (const event of events) {
    if (event.kind === "message") void host.kill();
    else results.push(event);
  }
  expect(results).toMatchObject([{ outcome: "unreachable", maybeDone: true }]);
  const after = await fleet.fanOut("listMaps", {}, { hosts: { hostIds: ["doomed"] } }).all();
  expect(after.results).toMatchObject([{ outcome: "unreachable", maybeDone: false }]);
});
