import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { Reference } from "../peers/reference.js";
import type { Bench } from "./bench.js";
import type { Daemon } from "./daemon.js";
import { freePorts } from "./free-ports.js";
import { type Endpoint, run } from "./process.js";

export type Transport = "unix" | "tcp" | "tls";

/** A daemon that serves over TCP, plain and with TLS, and reference servers that do. */
export interface Network {
  readonly daemon: Daemon;
  /** The daemon over each transport. */
  readonly ours: Record<Transport, Endpoint>;
  readonly theirs: Record<"tcp" | "tls", Reference & Endpoint>;
  stop(): Promise<void>;
}

/** Over TCP the daemon wants to know who calls: both transports use a token, so that it costs both the same. */
export async function startNetwork(bench: Bench): Promise<Network> {
  const at = (name: string) => join(bench.directory, name);
  const ca = at("certificate.pem");
  const key = at("certificate.key");
  await makeCertificate(ca, key);
  const { jwks, token } = await makeToken();
  await writeFile(at("jwks.json"), JSON.stringify(jwks));
  await writeFile(at("policy.yaml"), POLICY);
  const [tcp, tls, theirTcp, theirTls] = (await freePorts(4)).map((port) => `127.0.0.1:${port}`);
  const config = {
    access: { policy: at("policy.yaml"), tokens: { jwks: at("jwks.json") } },
    listen: {
      tcp: [
        { address: tcp, plaintext: true },
        { address: tls, tls: { cert: ca, key } },
      ],
    },
  };
  await writeFile(at("network.yaml"), JSON.stringify(config)); // JSON is YAML.
  const daemon = await bench.startDaemon(["--config", at("network.yaml")]);
  const theirs = {
    tcp: await Reference.start(theirTcp!),
    tls: await Reference.start(theirTls!, ["-cert", ca, "-key", key]),
  };
  return {
    daemon,
    ours: {
      unix: { address: daemon.address },
      tcp: { address: tcp!, token },
      tls: { address: tls!, token, ca },
    },
    theirs: { tcp: theirs.tcp, tls: Object.assign(theirs.tls, { ca }) },
    async stop() {
      await Promise.all([theirs.tcp.stop(), theirs.tls.stop()]);
      await bench.stopDaemon(daemon);
    },
  };
}

const POLICY = `
version: 1
unix_socket: trusted
identities: {bench: [{claims: {sub: bench}}]}
rules: [{identities: [bench], verbs: all, maps: all}]
`;

/** A certificate that signs itself, so that it is its own authority. */
async function makeCertificate(cert: string, key: string): Promise<void> {
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"];
  await run("openssl", ["req", "-x509", ...newKey, "-keyout", key, "-out", cert, ...names]);
}

async function makeToken(): Promise<{ jwks: object; token: string }> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "bench", alg: "ES256" };
  const token = await new SignJWT({ sub: "bench" })
    .setProtectedHeader({ alg: "ES256", kid: "bench" })
    .setExpirationTime("2h")
    .sign(privateKey);
  return { jwks: { keys: [jwk] }, token };
}
