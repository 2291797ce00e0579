import { expect, onTestFinished, test } from "vitest";
import {
  ALL_KEYS,
  type EtcdStoreOptions,
  openEtcdStore,
  put,
  type Store,
} from "#dist/fleet/store/index.js";
import { createAuthority } from "../../daemon/support/certificates.ts";
import { bytes, firstEvents, follow, told } from "../store-contract/fixture.ts";
import { askEtcd, type EtcdTls, startEtcd, type TestEtcd } from "../support/etcd.ts";

function open(options: EtcdStoreOptions): Store {
  const store = openEtcdStore({ deadlineMs: 3_000, ...options });
  onTestFinished(() => store.close());
  return store;
}

/** An etcd with TLS, and with what a client needs for it. */
async function startWithTls() {
  const authority = createAuthority();
  const server = authority.issue("etcd");
  const { cert, key } = authority.issue("relay");
  const files: EtcdTls = { ca: authority.certFile, cert: server.certFile, key: server.keyFile };
  const etcd = await startEtcd({ tls: files, args: ["--auth-token-ttl", "1"] });
  onTestFinished(() => etcd.dispose());
  return { etcd, files, tls: { ca: authority.cert, cert, key }, authority };
}

/** Turns authentication on, with root and a user who may use what is under /mine/. */
async function addUsers(etcd: TestEtcd, files: EtcdTls): Promise<void> {
  const ask = async (path: string, body: object) => {
    const answer = await askEtcd(`${etcd.endpoint}/v3/auth/${path}`, files, body);
    expect(answer).not.toContain("error");
  };
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  await ask("user/add", { name: "root", password: "secret" });
  await ask("role/add", { name: "root" });
  await ask("user/grant", { user: "root", role: "root" });
  await ask("user/add", { name: "fleet", password: "word" });
  await ask("role/add", { name: "mine" });
  const perm = { permType: "READWRITE", key: base64("/mine/"), range_end: base64("/mine0") };
  await ask("role/grant", { name: "mine", perm });
  await ask("user/grant", { user: "fleet", role: "mine" });
  await ask("enable", {});
}

test("speaks TLS with a client certificate; without, or with another authority, says why not", async () => {
  const { etcd, tls } = await startWithTls();
  const { endpoint } = etcd;
  const options = { endpoints: [endpoint], prefix: "/tls/" };
  const store = open({ ...options, tls });
  const { revision } = await store.transact({ success: [put("k", bytes("1"))] });
  expect((await store.get("k")).revision).toBe(revision);
  const byName = open({ ...options, tls: { ...tls, serverName: "localhost" } });
  expect((await byName.get("k")).entry).toBeDefined();

  const failure = (bad: EtcdStoreOptions["tls"]) =>
    open({ ...options, tls: bad }).get("k", { deadlineMs: 500 });
  const unavailable = (reason: RegExp) => ({
    code: "UNAVAILABLE",
    message: expect.stringMatching(reason),
  });
  await expect(failure({ ca: createAuthority().cert })).rejects.toMatchObject(
    unavailable(/certificate/),
  );
  await expect(failure({ ...tls, serverName: "elsewhere" })).rejects.toMatchObject(
    unavailable(/elsewhere/),
  );
  await expect(failure({ ca: tls.ca })).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test("logs in as a user, anew when the token is old, and may no more than that user", async () => {
  const { etcd, tls, files } = await startWithTls();
  const endpoints = [etcd.endpoint];
  const user = { name: "fleet", password: "word" };
  const before = open({ endpoints, prefix: "/mine/", tls, user });
  // Authentication is off as yet: who has a user is let in all the same.
  const first = await before.transact({ success: [put("k", bytes("0"))] });
  await addUsers(etcd, files);

  const store = open({ endpoints, prefix: "/mine/", tls, user });
  const { events } = follow(store.watch({ range: ALL_KEYS, from: first.revision }));
  const second = await store.transact({ success: [put("k", bytes("1"))] });
  await expect
    .poll(() => events.map(told))
    .toEqual([`put k=0 @${first.revision}`, `put k=1 @${second.revision}`]);
  await before.transact({ success: [put("k", bytes("2"))] });
  const lease = await store.grantLease(60);
  await store.transact({ success: [put("l", bytes("1"), lease.id)] });
  expect(await store.refreshLease(lease.id)).toMatchObject({ seconds: 60 });
  // Tokens live for a second here.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await store.transact({ success: [put("k", bytes("3"))] });
  await firstEvents(store.watch({ range: ALL_KEYS, from: second.revision }), 2);
  await store.revokeLease(lease.id);

  const elsewhere = open({ endpoints, prefix: "/other/", tls, user });
  const denied = { code: "PERMISSION_DENIED", maybeApplied: false };
  await expect(elsewhere.get("k")).rejects.toMatchObject(denied);
  const write = elsewhere.transact({ success: [put("k", bytes("1"))] });
  await expect(write).rejects.toMatchObject(denied);
  const { ended } = follow(elsewhere.watch({ range: ALL_KEYS, from: 1n }));
  expect(await ended).toMatchObject({ code: "PERMISSION_DENIED" });

  const wrong = open({ endpoints, prefix: "/mine/", tls, user: { ...user, password: "wrong" } });
  await expect(wrong.get("k")).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
});

test.each<[string, Partial<EtcdStoreOptions>]>([
  ["no endpoint", { endpoints: [] }],
  ["an endpoint without a port", { endpoints: ["http://127.0.0.1"] }],
  ["an endpoint without a scheme", { endpoints: ["127.0.0.1:2379"] }],
  ["an endpoint with a path", { endpoints: ["http://127.0.0.1:2379/v3"] }],
  ["http and https together", { endpoints: ["http://127.0.0.1:1", "https://127.0.0.1:2"] }],
  ["TLS without https", { endpoints: ["http://127.0.0.1:1"], tls: {} }],
  ["a certificate without its key", { tls: { cert: Buffer.from("x") } }],
  [
    "a password over http",
    { endpoints: ["http://127.0.0.1:1"], user: { name: "a", password: "b" } },
  ],
  ["a prefix with a space", { prefix: "/a b/" }],
])("refuses %s", (_, options) => {
  const all = { endpoints: ["https://127.0.0.1:1"], prefix: "/x/", ...options };
  expect(() => openEtcdStore(all)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});
