import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { allowAll } from "../support/policy.js";
import { ctl } from "./support/ctl.js";

let daemon: TestDaemon;
let address: string;
let pem: (name: string) => string;

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapctl-tls-"));
  pem = (name) => join(directory, name);
  makeCertificates();
  writeFileSync(pem("policy.yaml"), allowAll('{san: ["client.test"]}'));
  daemon = await startDaemon({
    args: [
      ...["--tcp", "127.0.0.1:0", "--tls-cert", pem("server.crt"), "--tls-key", pem("server.key")],
      ...["--tls-client-ca", pem("ca.crt"), "--policy", pem("policy.yaml")],
    ],
  });
  const serving = daemon.logs.find(({ msg }) => msg === "serving") as { listen?: string[] };
  address = serving.listen!.find((listener) => !listener.startsWith("unix:"))!.replace("tcp:", "");
  return async () => {
    await daemon.dispose();
    rmSync(directory, { recursive: true });
  };
});

function makeCertificates(): void {
  const make = (name: string, subject: string, ...args: string[]) => {
    execFileSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
        ...["-days", "2", "-subj", subject],
        ...["-keyout", pem(`${name}.key`), "-out", pem(`${name}.crt`), ...args],
      ],
      { stdio: "pipe" },
    );
  };
  const signed = ["-CA", pem("ca.crt"), "-CAkey", pem("ca.key")];
  const leaf = ["-addext", "basicConstraints=critical,CA:FALSE"];
  make("ca", "/CN=test ca");
  make("server", "/CN=daemon", ...signed, ...leaf, "-addext", "subjectAltName=DNS:daemon.test");
  make("client", "/CN=client", ...signed, ...leaf, "-addext", "subjectAltName=DNS:client.test");
}

describe("over TCP with TLS", () => {
  const host = (...options: string[]) =>
    ctl(daemon, ["--address", address, "--timeout", "20s", ...options, "-j", "host"]);
  const ca = () => ["--tls-ca", pem("ca.crt")];
  const own = () => ["--tls-cert", pem("client.crt"), "--tls-key", pem("client.key")];
  const name = ["--tls-server-name", "daemon.test"];

  it("reaches a daemon that knows the client's certificate", async () => {
    const { stdout, stderr } = await host(...ca(), ...own(), ...name);
    expect([stderr, JSON.parse(stdout)]).toMatchObject(["", { bpffs_roots: [daemon.bpffs] }]);
  });

  it.each([
    ["without the client's certificate", () => [...ca(), ...name]],
    ["where the daemon's certificate has another name", () => [...ca(), ...own()]],
    ["where nobody vouches for the daemon", () => [...own(), ...name]],
    ["without TLS", () => ["--plaintext"]],
  ])("does not %s", async (_what, options) => {
    const { code, stdout } = await host(...options());
    expect(code).toBe(9);
    expect(JSON.parse(stdout)).toHaveProperty("error");
  });
});
