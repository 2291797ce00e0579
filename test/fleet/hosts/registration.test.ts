import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@bpfmapd/client";
import { Liveness, MapType, LabelRequirement_Operator as Operator } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type LogLine, startDaemon, type TestDaemon } from "../../support/daemon.js";
import { OWN_STORE, startHost, startRelay, untilConnected, untilHosts } from "../support/fleet.js";

describe("a relay with hosts", () => {
  let relay: TestDaemon;
  let host: TestDaemon;

  beforeAll(async () => {
    relay = await startRelay("relay-1");
    host = await startHost("host-a", [relay], {
      args: ["--label", "zone=a", "--label", "example.org/rack=7"],
    });
    const other = await startHost("host-b", [relay], { args: ["--label", "zone=b"] });
    await untilConnected(relay, "host-a", "host-b");
    return () => Promise.all([host.dispose(), other.dispose(), relay.dispose()]);
  });

  it("tells a host as its daemon tells itself, with its labels and its relay", async () => {
    const [told] = (await relay.client.fleet.listHosts({})).hosts;
    const { host: own } = await host.client.host.getHost({});
    expect(told).toMatchObject({
      id: "host-a",
      labels: { zone: "a", "example.org/rack": "7" },
      host: own,
      liveness: Liveness.CONNECTED,
      relay: "relay-1",
      address: "unix",
    });
    expect(told?.mapTypes).toContain(MapType.HASH);
    expect(told?.sessionId).not.toBe("");
  });

  it("lists hosts in pages", async () => {
    const first = await relay.client.fleet.listHosts({ pageSize: 1 });
    expect(first.hosts.map(({ id }) => id)).toEqual(["host-a"]);
    const { nextPageToken: pageToken } = first;
    const second = await relay.client.fleet.listHosts({ pageSize: 1, pageToken });
    expect(second.hosts.map(({ id }) => id)).toEqual(["host-b"]);
    expect(second.nextPageToken).toBe("");
  });

  it("refuses a page token that is none", async () => {
    await expect(relay.client.fleet.listHosts({ pageToken: "%" })).rejects.toMatchObject({
      reason: "FIELD_INVALID",
    });
  });

  it.each([
    ["an id", { hostIds: ["host-b"] }, ["host-b"]],
    ["a label", { labels: { zone: "a" } }, ["host-a"]],
    ["one of several values", requires("zone", Operator.IN, "b", "c"), ["host-b"]],
    ["none of several values", requires("example.org/rack", Operator.NOT_IN, "7"), ["host-b"]],
    ["a label whatever its value", requires("example.org/rack", Operator.EXISTS), ["host-a"]],
    ["the lack of a label", requires("example.org/rack", Operator.DOES_NOT_EXIST), ["host-b"]],
    ["all parts at once", { hostIds: ["host-a"], labels: { zone: "b" } }, []],
    ["nothing", {}, ["host-a", "host-b"]],
    ["a label that every object has in JavaScript", requires("constructor", Operator.EXISTS), []],
  ])("chooses hosts by %s", async (_what, selector, ids) => {
    const { hosts } = await relay.client.fleet.listHosts({ selector });
    expect(hosts.map(({ id }) => id)).toEqual(ids);
  });

  it("refuses a selector that contradicts itself", async () => {
    const selector = requires("zone", Operator.IN);
    await expect(relay.client.fleet.listHosts({ selector })).rejects.toMatchObject({
      reason: "FIELD_INVALID",
      violations: [{ field: "selector.requirements[0]" }],
    });
  });

  it("serves no maps of its own", async () => {
    await expect(relay.client.maps.listMaps({})).rejects.toMatchObject({ code: 12 });
  });
});

function requires(key: string, operator: Operator, ...values: string[]) {
  return { requirements: [{ key, operator, values }] };
}

it("tells that a host is lost when it is killed, and that it is back", async () => {
  const relay = await startRelay("relay-1");
  const host = await startHost("host-a", [relay]);
  const before = (await untilConnected(relay, "host-a")).get("host-a");
  await host.kill();
  await untilHosts(relay, (hosts) => hosts.get("host-a")?.liveness === Liveness.LOST);
  await host.restart();
  const after = (await untilConnected(relay, "host-a")).get("host-a");
  expect(after?.sessionId).not.toBe(before?.sessionId);
});

it("has hosts back after its relay was killed, with the embedded store as it was", async () => {
  const relay = await startRelay("relay-1");
  const host = await startHost("host-a", [relay]);
  await untilConnected(relay, "host-a");
  await relay.kill();
  await relay.restart();
  await untilConnected(relay, "host-a");
  expect(host.logs.map(({ msg }) => msg)).toContain("no session with a relay");
});

it("forgets a host without a session after a while", async () => {
  const relay = await startRelay("relay-1", { args: ["--fleet-forget-after-s", "10"] });
  const host = await startHost("host-a", [relay]);
  await untilConnected(relay, "host-a");
  await host.stop();
  await untilHosts(relay, (hosts) => hosts.size === 0);
});

it("leaves a host to the session that was opened last, where two have one id", async () => {
  const relay = await startRelay("relay-1");
  const first = await startHost("host-a", [relay]);
  const { sessionId } = (await untilConnected(relay, "host-a")).get("host-a") ?? {};
  await startHost("host-a", [relay]);
  await untilHosts(relay, (hosts) => hosts.get("host-a")?.sessionId !== sessionId);
  const isReplaced = (line: LogLine) => String(line.err).includes("registered anew");
  await vi.waitFor(() => expect(first.logs.some(isReplaced)).toBe(true));
});

it("is a relay without any capability", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-nobody-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const relay = await startRelay("relay-1", {
    // Still root, to whom alone the directories above may belong.
    under: ["setpriv", "--bounding-set=-all", "--inh-caps=-all"],
    args: [
      "--socket",
      join(directory, "run", "relay.sock"),
      "--store-directory",
      `${directory}/store`,
    ],
  });
  expect(readFileSync(`/proc/${relay.pid}/status`, "utf8")).toMatch(/^CapEff:\t0+$/m);
  const client = connect({ address: `unix:${directory}/run/relay.sock` });
  onTestFinished(() => client.close());
  expect((await client.fleet.listHosts({})).hosts).toEqual([]);
});

it.each([
  ["--join", ["--join", "unix:/run/bpfmapd/relay.sock"], "fleet.join"],
  ["--fleet", ["--fleet"], "fleet.enabled"],
])("is no relay with %s", async (_flag, args, setting) => {
  await expect(startRelay("relay-1", { args })).rejects.toThrow(`${setting} is for a daemon`);
});

it("is host, relay and store in one process", async () => {
  const daemon = await startDaemon({
    args: ["--fleet", ...OWN_STORE, "--label", "zone=a"],
  });
  const hosts = await untilConnected(daemon, hostname());
  expect(hosts.get(hostname())).toMatchObject({ address: "local", labels: { zone: "a" } });
});
