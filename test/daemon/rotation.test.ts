import { X509Certificate } from "node:crypto";
import { copyFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { connect, type TlsOptions } from "@bpfmapd/client";
import { expect, onTestFinished, test } from "vitest";
import { startDaemon } from "../support/daemon.js";
import { policyFile } from "../support/policy.js";
import { type Certificate, createAuthority } from "./support/certificates.js";
import { temporaryDirectory } from "./support/run.js";

/** Puts a file in place of another, in one step. */
function replace(path: string, put: (path: string) => void): void {
  put(`${path}.new`);
  renameSync(`${path}.new`, path);
}

/** The fingerprint of the certificate that a new connection is shown. */
function shownAt(address: string, tls: TlsOptions): Promise<string> {
  const [host, port] = address.split(":") as [string, string];
  const { ca, cert, key, serverName } = tls;
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      ...{ host, port: Number(port), ca, cert, key, servername: serverName },
      ALPNProtocols: ["h2"],
    });
    socket.once("secureConnect", () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

test("certificates and authorities are exchanged under load without a failed call", async () => {
  const [old, next] = [createAuthority(), createAuthority()];
  const directory = temporaryDirectory();
  const file = (name: string) => join(directory, name);
  const install = ({ certFile, keyFile }: Certificate) => {
    // One after the other: what lies between fits together with nothing.
    replace(file("server.pem"), (path) => copyFileSync(certFile, path));
    replace(file("server.key"), (path) => copyFileSync(keyFile, path));
  };
  const trust = (...authorities: readonly Certificate[]) =>
    replace(file("clients.pem"), (path) =>
      writeFileSync(path, Buffer.concat(authorities.map(({ cert }) => cert))),
    );
  install(old.issue("first"));
  trust(old);
  const daemon = await startDaemon({
    args: [
      ...["--tcp", "127.0.0.1:0", "--tls-cert", file("server.pem"), "--tls-key"],
      ...[file("server.key"), "--tls-client-ca", file("clients.pem"), "--policy", policyFile()],
    ],
  });
  const { listen } = daemon.logs.at(-1) as unknown as { listen: string[] };
  const address = listen[1] as string;
  const options = ({ cert, key }: Certificate): TlsOptions => ({
    ...{ ca: Buffer.concat([old.cert, next.cert]), cert, key, serverName: "localhost" },
  });
  const [mine, theirs] = [options(old.issue("client")), options(next.issue("client"))];

  let isOver = false;
  onTestFinished(() => {
    isOver = true;
  });
  const lasting = connect({ address, tls: mine });
  onTestFinished(() => lasting.close());
  let calls = 0;
  const onOneConnection = async () => {
    for (; !isOver; calls++) await lasting.host.getHost({});
  };
  const onNewConnections = async () => {
    for (; !isOver; calls++) {
      const client = connect({
        ...{ address, tls: mine },
        channelOptions: { "grpc.use_local_subchannel_pool": 1 },
      });
      await client.host.getHost({}).finally(() => client.close());
      await turn();
    }
  };
  const load = Promise.all([onOneConnection(), onOneConnection(), onNewConnections()]);
  // Where a call fails the test ends with its error, whatever is waited for.
  const underLoad = <T>(work: Promise<T>) => Promise.race([work, load.then(() => work)]);
  const more = async () => {
    for (const from = calls; calls < from + 20; ) await underLoad(turn());
  };
  const shows = async ({ cert }: Certificate) => {
    const { fingerprint256 } = new X509Certificate(cert);
    while ((await underLoad(shownAt(address, mine))) !== fingerprint256) await turn();
  };

  for (const authority of [next, old, next]) {
    await more();
    const certificate = authority.issue("another");
    install(certificate);
    await shows(certificate);
  }
  await more();
  trust(old, next);
  const newcomer = connect({ address, tls: theirs });
  onTestFinished(() => newcomer.close());
  for (;;) {
    const isKnown = await underLoad(
      newcomer.host
        .getHost({})
        .then(() => true)
        .catch(() => false),
    );
    if (isKnown) break;
  }
  await more();
  isOver = true;
  await load;
  await expect(lasting.host.getHost({})).resolves.toBeDefined();
}, 120_000);
