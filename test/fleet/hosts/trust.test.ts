import { join } from "node:path";
import { Fleet, Metadata, status } from "@bpfmapd/client";
import { Liveness, MapType } from "@bpfmapd/client/proto";
import { describe, expect, it, vi } from "vitest";
import { tokenIssuer } from "../../access/support/tokens.js";
import { createAuthority } from "../../daemon/support/certificates.js";
import { temporaryDirectory } from "../../daemon/support/run.js";
import type { TestDaemon } from "../../support/daemon.js";
import { OWN_STORE, untilConnected, untilHosts } from "../support/fleet.js";
import { RelayClient } from "../support/relay-client.js";
import {
  auditLines,
  hostPolicy,
  policyFile,
  RELAY_POLICY,
  SecureFleet,
} from "../support/secure-fleet.js";

const HELD = { ref: { case: "held" as const, value: "guarded" } };
const SPEC = { type: MapType.HASH, name: "guarded", keySize: 4, valueSize: 4, maxEntries: 4 };
const KEY = Uint8Array.of(1, 2, 3, 4);
const ELEMENTS = { count: 1, keys: KEY, values: KEY };

const embedded = () => new SecureFleet(OWN_STORE);
const stage = ({ client }: TestDaemon) =>
  client.maps.createMap({ spec: SPEC, hold: { name: "guarded" } });

const untilLogged = (daemon: TestDaemon, text: string | RegExp) =>
  vi.waitFor(() => expect(JSON.stringify(daemon.logs)).toMatch(text), { timeout: 10_000 });

it("lets a controller do on a host what the host's own policy gives it, and nothing else", async () => {
  const secure = embedded();
  const relay = await secure.relay("r1");
  const rules = [
    { controller: "reader", verbs: ["list", "read"] },
    { controller: "writer", verbs: "all" as const },
  ];
  const host = await secure.host("h1", [relay], rules);
  await untilConnected(relay.daemon, "h1");
  await stage(host);
  const reader = secure.fleet(relay, "reader");
  const writer = secure.fleet(relay, "writer");
  const update = { map: HELD, elements: ELEMENTS };
  const lookup = { map: HELD, keys: KEY, count: 1 };

  const denied = await reader.fanOut("updateElements", update).all();
  expect(denied.results[0]?.error).toMatchObject({
    code: status.PERMISSION_DENIED,
    reason: "ACCESS_DENIED",
    metadata: { caller: "spiffe://test/controller/reader", verb: "write" },
  });
  expect((await writer.fanOut("updateElements", update).all()).summary.ok).toBe(1);
  expect((await reader.fanOut("lookupElements", lookup).all()).summary.ok).toBe(1);

  const stranger = await secure.fleet(relay, "stranger").fanOut("lookupElements", lookup).all();
  expect(stranger.results[0]?.error).toMatchObject({ reason: "ACCESS_DENIED" });
});

it("audits on the host who has called, and by which relay", async () => {
  const secure = embedded();
  const relay = await secure.relay("r1");
  const audit = join(temporaryDirectory(), "audit.jsonl");
  const rules = [{ controller: "writer", verbs: "all" as const }];
  const host = await secure.host("h1", [relay], rules, { args: ["--audit-file", audit] });
  await untilConnected(relay.daemon, "h1");
  await stage(host);
  const metadata = new Metadata();
  metadata.set("x-request-id", "job-7");
  await secure
    .fleet(relay, "writer")
    .fanOut("updateElements", { map: HELD, elements: ELEMENTS }, { metadata })
    .all();
  const line = auditLines(audit).find(({ rpc }) => String(rpc).endsWith("UpdateElements"));
  expect(line).toMatchObject({
    caller: "spiffe://test/controller/writer",
    relay: "spiffe://test/relay/r1",
    peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    client_request: "job-7",
    outcome: "OK",
    keys: ["01020304"],
  });
});

it("does not believe a relay on another machine what a unix socket there has proven", async () => {
  const secure = embedded();
  const relay = await secure.relay("r1");
  const policy = { ...hostPolicy([]), unix_socket: "trusted" };
  await secure.host("h1", [relay], [], { policy });
  await untilConnected(relay.daemon, "h1");
  // Root on the relay's machine, and trusted by both policies' unix_socket.
  const { fleet } = relay.daemon.client;
  const request = { typeUrl: "type.googleapis.com/bpfmap.v1.ListMapsRequest" };
  for await (const { event } of fleet.fanOut({ selector: {}, requests: [request] })) {
    if (event.case === "summary") expect(event.value).toMatchObject({ failed: 1, ok: 0 });
  }
});

it("has no session with a relay that its policy does not let speak for others", async () => {
  const secure = embedded();
  const relay = await secure.relay("r1");
  const policy = hostPolicy([], { relays: [] });
  const host = await secure.host("h1", [relay], [], { policy });
  await untilLogged(host, /spiffe:\/\/test\/relay\/r1 may not speak for others/);
  expect((await relay.daemon.client.fleet.listHosts({})).hosts).toEqual([]);
});

it("ends the session when its policy does not let the relay speak for others any more", async () => {
  const secure = embedded();
  const relay = await secure.relay("r1");
  const host = await secure.host("h1", [relay], []);
  await untilConnected(relay.daemon, "h1");
  policyFile(hostPolicy([], { relays: [] }), host.policy);
  await untilHosts(relay.daemon, (hosts) => hosts.get("h1")?.liveness === Liveness.LOST);
});

describe("a controller's token", () => {
  const OPERATORS = { operators: [{ claims: { groups: "bpf" } }] };
  const asHost = {
    ...hostPolicy([]),
    identities: { ...hostPolicy([]).identities, ...OPERATORS },
    rules: [{ identities: ["operators"], verbs: "all", maps: "all" }],
  };

  it("proves to a host what it has proven to the relay, until it runs out", async () => {
    const secure = embedded();
    const issuer = await tokenIssuer();
    const relay = await secure.relay("r1", { args: ["--jwks", issuer.jwksFile] });
    const host = await secure.host("h1", [relay], [], { policy: asHost });
    await untilConnected(relay.daemon, "h1");
    await stage(host);
    const token = await issuer.sign({ sub: "ann", groups: ["bpf"] }, 2);
    const watch = new Fleet(secure.client(relay, "c", token)).fanOut("watch", { map: HELD });
    const told: string[] = [];
    // The token runs out on the relay and on the host, and either may tell first.
    const ended = (async () => {
      for await (const event of watch) {
        told.push(event.kind === "result" ? `${event.error?.message}` : event.kind);
      }
    })().catch((error: Error) => told.push(error.message));
    await ended;
    expect(told[0]).toBe("message");
    expect(told.at(-1)).toMatch(/token of the call has run out/);
    const without = await secure.fleet(relay, "c").fanOut("listMaps", {}).all();
    expect(without.results[0]?.error).toMatchObject({ reason: "ACCESS_DENIED" });
  });
});

it("ends a call under way when the host's policy does not give it any more", async () => {
  const secure = embedded();
  const relay = await secure.relay("r1");
  const rules = [{ controller: "watcher", verbs: "all" as const }];
  const host = await secure.host("h1", [relay], rules);
  await untilConnected(relay.daemon, "h1");
  await stage(host);
  const watch = secure.fleet(relay, "watcher").fanOut("watch", { map: HELD });
  for await (const event of watch) {
    if (event.kind === "message") policyFile(hostPolicy([]), host.policy);
    else expect(event.error).toMatchObject({ reason: "ACCESS_DENIED" });
  }
  expect(watch.summary).toMatchObject({ failed: 1 });
});

it("has no session with a relay whose certificate is another authority's", async () => {
  const secure = embedded();
  const stranger = createAuthority().issue("relay-r1");
  const relay = await secure.relay("r1", { certificate: stranger });
  const host = await secure.host("h1", [relay], []);
  await untilLogged(host, /cannot be reached: .*(self-signed|unable to)/);
  expect((await relay.daemon.client.fleet.listHosts({})).hosts).toEqual([]);
});

it("has no session with a relay whose certificate is revoked, from when the list says so", async () => {
  const secure = embedded();
  const certificate = secure.relayCertificate("r1");
  const relay = await secure.relay("r1", { certificate });
  const crl = secure.authority.revoke();
  const host = await secure.host("h1", [relay], [], { args: ["--fleet-crl", crl] });
  await untilConnected(relay.daemon, "h1");
  secure.authority.revoke(certificate);
  await untilHosts(relay.daemon, (hosts) => hosts.get("h1")?.liveness === Liveness.LOST);
  await untilLogged(host, "certificate revoked");
});

it("registers no host that its policy does not take for one", async () => {
  const secure = embedded();
  const relay = await secure.relay("r1", { policy: { ...RELAY_POLICY, fleet: { hosts: [] } } });
  const host = await secure.host("h1", [relay], []);
  await untilLogged(host, /spiffe:\/\/test\/host\/h1 may not register as a host/);
  expect((await relay.daemon.client.fleet.listHosts({})).hosts).toEqual([]);
});

it("registers no host by an id that its certificate does not have", async () => {
  const secure = embedded();
  const relay = await secure.relay("r1");
  const certificate = secure.hostCertificate("h2");
  const host = await secure.host("h1", [relay], [], { certificate });
  await untilLogged(host, /spiffe:\/\/test\/host\/h2 cannot register as host h1/);
  expect((await relay.daemon.client.fleet.listHosts({})).hosts).toEqual([]);
});

it("registers no host whose certificate is revoked", async () => {
  const secure = embedded();
  const host = secure.hostCertificate("h1");
  const crl = secure.authority.revoke(host);
  const relay = await secure.relay("r1", { args: ["--tls-client-crl", crl], logLevel: "info" });
  await secure.host("h1", [relay], [], { certificate: host });
  await secure.host("h2", [relay], []);
  const hosts = await untilConnected(relay.daemon, "h2");
  expect([...hosts.keys()]).toEqual(["h2"]);
  await untilLogged(relay.daemon, "TLS handshake failed");
});

it.each(["listHosts", "watchHosts", "fanOut"] as const)(
  "denies %s to one whom the relay's policy does not know",
  async (rpc) => {
    const secure = embedded();
    const relay = await secure.relay("r1", {
      policy: { ...RELAY_POLICY, identities: {}, fleet: {} },
    });
    const { fleet } = secure.client(relay, "nobody");
    const requests = [{ typeUrl: "type.googleapis.com/bpfmap.v1.ListMapsRequest" }];
    const calls = {
      listHosts: () => fleet.listHosts({}),
      watchHosts: () => fleet.watchHosts({}).next(),
      fanOut: () => fleet.fanOut({ selector: {}, requests }).next(),
    };
    await expect(calls[rpc]()).rejects.toMatchObject({ reason: "ACCESS_DENIED" });
  },
);

it.each(["host/h9", "relay/r9"])("lists no hosts for one that is only a %s", async (who) => {
  const secure = embedded();
  const relay = await secure.relay("r1");
  const { fleet } = secure.clientOf(relay, who);
  await expect(fleet.listHosts({})).rejects.toMatchObject({ reason: "ACCESS_DENIED" });
});

it("carries no call for one that is no relay", async () => {
  const secure = embedded();
  const relay = await secure.relay("r1");
  await secure.host("h1", [relay], [{ controller: "victim", verbs: "all" }]);
  await untilConnected(relay.daemon, "h1");
  const impostor = new RelayClient(secure, relay, "controller/impostor");
  await expect(impostor.forward("h1", "victim")).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
  });
});

it.each([
  ["negative", -1n],
  ["longer than any call", 2n ** 62n],
])("refuses a call of another relay whose time is %s", async (_what, seconds) => {
  const secure = embedded();
  const relay = await secure.relay("r1");
  await secure.host("h1", [relay], []);
  await untilConnected(relay.daemon, "h1");
  const other = new RelayClient(secure, relay, "relay/r2");
  await expect(other.forward("h1", "c", { timeout: { seconds } })).rejects.toMatchObject({
    reason: "FIELD_INVALID",
  });
});
