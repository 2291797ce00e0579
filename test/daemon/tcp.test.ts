import { join } from "node:path";
import { connect as connectTls, type SecureVersion } from "node:tls";
import { type BpfmapClient, type ConnectOptions, connect } from "@bpfmapd/client";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { tokenIssuer } from "../access/support/tokens.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { allowAll, policyFile } from "../support/policy.js";
import { createAuthority } from "./support/certificates.js";
import { configFile, runDaemon, temporaryDirectory } from "./support/run.js";

/** The TCP addresses at which a daemon says it serves. */
function tcpAddresses({ logs }: TestDaemon): string[] {
  const { listen } = logs.find(({ msg }) => msg === "serving") as unknown as { listen: string[] };
  return listen.filter((address) => !address.startsWith("unix:"));
}

function client(options: ConnectOptions): BpfmapClient {
  const made = connect({ deadlineMs: 5000, ...options });
  onTestFinished(() => made.close());
  return made;
}

/** Arguments that let everybody with a token do everything. */
function anyToken(jwksFile: string): string[] {
  return ["--policy", policyFile(allowAll('{claims: {sub: "*"}}')), "--jwks", jwksFile];
}

/** The TLS version that a handshake agrees on; undefined where it fails. */
function handshake(address: string, ca: Buffer, version: SecureVersion): Promise<string | null> {
  const [host, port] = address.split(":") as [string, string];
  return new Promise((resolve) => {
    const socket = connectTls({
      ...{ host, port: Number(port), ca, servername: "localhost" },
      ...{ minVersion: version, maxVersion: version, ALPNProtocols: ["h2"] },
    });
    socket.once("secureConnect", () => {
      resolve(socket.getProtocol());
      socket.destroy();
    });
    socket.once("error", () => resolve(null));
  });
}

describe("TCP", () => {
  test("with TLS serves those who trust its certificate, beside the unix socket", async () => {
    const authority = createAuthority();
    const { certFile, keyFile } = authority.issue("daemon");
    const { jwksFile, sign } = await tokenIssuer();
    const tls = ["--tls-cert", certFile, "--tls-key", keyFile];
    const known = ["--policy", policyFile(allowAll("{claims: {sub: me}}")), "--jwks", jwksFile];
    const daemon = await startDaemon({ args: ["--tcp", "127.0.0.1:0", ...tls, ...known] });
    const [address] = tcpAddresses(daemon) as [string];

    const token = await sign({ sub: "me" });
    const trust = { ca: authority.cert, serverName: "localhost" };
    const trusting = client({ address, tls: trust, token });
    expect((await trusting.host.getHost({})).host?.daemonVersion).toBe("0.1.0");

    const stranger = client({
      address,
      tls: { ca: createAuthority().cert, serverName: "localhost" },
    });
    await expect(stranger.host.getHost({})).rejects.toMatchObject({ code: status.UNAVAILABLE });
    const bare = client({ address, plaintext: true });
    await expect(bare.host.getHost({})).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await trusting.host.getHost({});
  });

  test("speaks TLS 1.3 only, unless 1.2 is allowed", async () => {
    const authority = createAuthority();
    const { certFile, keyFile } = authority.issue("daemon");
    const file = configFile(`
      access: {policy: ${policyFile()}, tokens: {jwks: ${(await tokenIssuer()).jwksFile}}}
      listen:
        tcp:
          - {address: "127.0.0.1:0", tls: {cert: ${certFile}, key: ${keyFile}}}
          - {address: "127.0.0.1:0", tls: {cert: ${certFile}, key: ${keyFile}, min_version: TLSv1.2}}
    `);
    const [strict, lenient] = tcpAddresses(await startDaemon({ args: ["--config", file] })) as [
      string,
      string,
    ];
    expect(await handshake(strict, authority.cert, "TLSv1.3")).toBe("TLSv1.3");
    expect(await handshake(strict, authority.cert, "TLSv1.2")).toBeNull();
    expect(await handshake(lenient, authority.cert, "TLSv1.2")).toBe("TLSv1.2");
  });

  test("with a client CA serves only clients that it signed", async () => {
    const authority = createAuthority();
    const { certFile, keyFile } = authority.issue("daemon");
    const clients = createAuthority();
    const daemon = await startDaemon({
      args: [
        ...["--tcp", "127.0.0.1:0", "--tls-cert", certFile, "--tls-key", keyFile],
        ...["--tls-client-ca", clients.certFile, "--policy", policyFile()],
      ],
    });
    const [address] = tcpAddresses(daemon) as [string];
    const trust = { ca: authority.cert, serverName: "localhost" };
    const { cert, key } = clients.issue("controller");
    await client({ address, tls: { ...trust, cert, key } }).host.getHost({});

    const forged = createAuthority().issue("controller");
    for (const tls of [trust, { ...trust, cert: forged.cert, key: forged.key }]) {
      const refused = client({ address, tls }).host.getHost({});
      await expect(refused).rejects.toMatchObject({ code: status.UNAVAILABLE });
    }
  });

  test("goes without TLS on loopback where that is said, for those with a token", async () => {
    const { jwksFile, sign } = await tokenIssuer();
    const args = ["--tcp", "127.0.0.1:0", "--plaintext", ...anyToken(jwksFile)];
    const [address] = tcpAddresses(await startDaemon({ args })) as [string];
    const anonymous = client({ address, plaintext: true });
    await expect(anonymous.host.getHost({})).rejects.toMatchObject({
      code: status.UNAUTHENTICATED,
    });
    // The client keeps tokens to itself where anybody can read along; grpc-js does not.
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${await sign({ sub: "me" })}`);
    await anonymous.host.getHost({}, { metadata });
  });

  test.each([
    [["--tcp", "127.0.0.1:0", "--plaintext"], "listen.tcp[0] (--tcp) needs access.policy"],
    [["--tcp", "127.0.0.1:0", "--plaintext"], "needs tls.client_ca or access.tokens.jwks"],
    [["--tcp", "127.0.0.1:0"], "listen.tcp[0].tls (--tcp) is missing"],
    [["--tcp", "0.0.0.0:0", "--plaintext"], "only allowed on 127.0.0.0/8"],
    [["--tcp", "[::]:0", "--plaintext"], "only allowed on 127.0.0.0/8"],
  ])("is refused with %j", (args, message) => {
    const { code, stderr } = runDaemon(args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  test("at an address in use, or with files that are no certificates, does not start", async () => {
    const authority = createAuthority();
    const { certFile, keyFile } = authority.issue("daemon");
    const known = anyToken((await tokenIssuer()).jwksFile);
    const daemon = await startDaemon({ args: ["--tcp", "127.0.0.1:0", "--plaintext", ...known] });
    const [address] = tcpAddresses(daemon) as [string];
    const socket = join(temporaryDirectory(), "d.sock");

    const taken = runDaemon(["--socket", socket, "--tcp", address, "--plaintext", ...known]);
    expect(taken.code).toBe(3);
    expect(taken.stderr).toContain(`${address} is in use`);

    const tcp = ["--socket", socket, "--tcp", "127.0.0.1:0", ...known];
    const missing = runDaemon([...tcp, "--tls-cert", "/nowhere.pem", "--tls-key", keyFile]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain("/nowhere.pem");
    const swapped = runDaemon([...tcp, "--tls-cert", keyFile, "--tls-key", certFile]);
    expect(swapped.code).toBe(2);
    expect(swapped.stderr).toContain(keyFile);
  });
});
