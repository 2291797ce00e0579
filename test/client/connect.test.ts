import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BpfmapError, connect, status } from "@bpfmapd/client";
import { ServerCredentials } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Behaviour, serve, temporarySocket } from "./support/canned-server.js";

const HOST: Behaviour = {
  getHost: (_call, callback) => callback(null, { host: { hostname: "canned" } }),
};

describe("connect", () => {
  it.each([
    ["TCP with neither tls nor plaintext", { address: "localhost:7443" }, /give tls, or plaintext/],
    [
      "tls together with plaintext",
      { address: "localhost:7443", tls: {}, plaintext: true },
      /exclude/,
    ],
    ["tls on a unix socket", { address: "unix:/tmp/a", tls: {} }, /TCP/],
    ["a certificate without its key", { address: "a:1", tls: { cert: Buffer.of() } }, /both/],
    ["a key without its certificate", { address: "a:1", tls: { key: Buffer.of() } }, /both/],
    ["a deadline of zero", { deadlineMs: 0 }, /above 0/],
    ["a deadline that is no number", { deadlineMs: Number.NaN }, /above 0/],
  ])("refuses %s", (_what, options, why) => {
    expect(() => connect(options)).toThrow(why);
    expect(() => connect(options)).toThrow(BpfmapError);
  });

  it("does nothing before the first call, so the daemon may start later", async () => {
    const listen = temporarySocket();
    const client = connect({ address: listen });
    onTestFinished(() => client.close());
    await serve(HOST, { listen });
    expect((await client.host.getHost({})).host?.hostname).toBe("canned");
  });

  it("reaches a daemon on TCP, IPv4 and IPv6, when plaintext is allowed", async () => {
    for (const listen of ["127.0.0.1:0", "[::1]:0"]) {
      const { client } = await serve(HOST, { listen, connect: { plaintext: true } });
      expect((await client.host.getHost({})).host?.hostname).toBe("canned");
    }
  });

  it("names the address where nobody answers", async () => {
    const address = temporarySocket();
    const client = connect({ address });
    onTestFinished(() => client.close());
    const error = await client.host.getHost({}).catch((error) => error);
    expect(error).toBeInstanceOf(BpfmapError);
    expect(error).toMatchObject({ code: status.UNAVAILABLE, reason: "" });
    expect(error.message).toContain(address);
    expect(error.message).toContain("ENOENT");
  });

  it("waits until the daemon is there, or says that it is not", async () => {
    const { client } = await serve(HOST);
    await client.waitForReady(10_000);

    const absent = connect({ address: temporarySocket() });
    onTestFinished(() => absent.close());
    await expect(absent.waitForReady(50)).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      message: expect.stringContaining("50 ms"),
    });
  });

  it("fails calls after close", async () => {
    const { client } = await serve(HOST);
    await client.host.getHost({});
    client.close();
    const closed = { name: "BpfmapError", code: status.CANCELLED };
    await expect(client.host.getHost({})).rejects.toMatchObject(closed);
    await expect(client.map({ id: 1 }).dump().chunks().next()).rejects.toMatchObject(closed);
    await expect(client.maps.loadMap(nothing())).rejects.toMatchObject(closed);
  });

  it("refuses an answer above maxMessageBytes", async () => {
    const behaviour: Behaviour = {
      nextKey: (_call, callback) => callback(null, { nextKey: new Uint8Array(2000) }),
    };
    const small = await serve(behaviour, { connect: { maxMessageBytes: 1000 } });
    await expect(small.client.map({ id: 1 }).nextKey()).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
    const large = await serve(behaviour, { connect: { maxMessageBytes: 3000 } });
    expect(await large.client.map({ id: 1 }).nextKey()).toHaveLength(2000);
  });

  it("takes an answer of more than the 4 MiB that grpc-js takes by default", async () => {
    const bytes = 15 * 1024 * 1024;
    const { client } = await serve({
      nextKey: (_call, callback) => callback(null, { nextKey: new Uint8Array(bytes) }),
    });
    expect(await client.map({ id: 1 }).nextKey()).toHaveLength(bytes);
  });
});

describe("connect with TLS", () => {
  it("checks the daemon's name and shows its own certificate", async () => {
    const { ca, server, client } = certificates();
    const credentials = ServerCredentials.createSsl(
      ca,
      [{ cert_chain: server.cert, private_key: server.key }],
      true,
    );
    const tls = { ca, ...client, serverName: "daemon.test" };
    const listen = "127.0.0.1:0";
    const canned = await serve(HOST, { listen, credentials, connect: { tls } });
    expect((await canned.client.host.getHost({})).host?.hostname).toBe("canned");

    for (const wrong of [
      { ...tls, serverName: "other.test" },
      { ca, serverName: "daemon.test" },
      { ...client, serverName: "daemon.test" },
    ]) {
      const refused = connect({ address: canned.address, tls: wrong });
      onTestFinished(() => refused.close());
      await expect(refused.host.getHost({})).rejects.toMatchObject({ code: status.UNAVAILABLE });
    }
  });
});

async function* nothing() {}

interface KeyPair {
  cert: Buffer;
  key: Buffer;
}

/** A certificate authority, and what it has signed for a daemon and a client. */
function certificates(): { ca: Buffer; server: KeyPair; client: KeyPair } {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-tls-"));
  try {
    const path = (name: string) => join(directory, name);
    const openssl = (...args: string[]) => {
      execFileSync("openssl", args, { stdio: "pipe" });
    };
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const make = (name: string, subject: string, ...args: string[]) => {
      const files = ["-keyout", path(`${name}.key`), "-out", path(`${name}.crt`)];
      openssl("req", "-x509", ...newKey, "-days", "2", "-subj", subject, ...files, ...args);
    };
    const signed = ["-CA", path("ca.crt"), "-CAkey", path("ca.key")];
    const leaf = ["-addext", "basicConstraints=critical,CA:FALSE"];
    make("ca", "/CN=test ca");
    make("server", "/CN=daemon", ...signed, ...leaf, "-addext", "subjectAltName=DNS:daemon.test");
    make("client", "/CN=client", ...signed, ...leaf);
    const read = (name: string) => ({
      cert: readFileSync(path(`${name}.crt`)),
      key: readFileSync(path(`${name}.key`)),
    });
    return { ca: read("ca").cert, server: read("server"), client: read("client") };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
