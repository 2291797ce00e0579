import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { type BpfmapClient, connect, Fleet } from "@bpfmapd/client";
import { onTestFinished } from "vitest";
import {
  type Authority,
  type Certificate,
  createAuthority,
} from "../../daemon/support/certificates.js";
import { temporaryDirectory } from "../../daemon/support/run.js";
import { startDaemon, type TestDaemon } from "../../support/daemon.js";
import { QUICK } from "./fleet.js";

/** A relay that is reached by TLS. */
export interface SecureRelay {
  readonly daemon: TestDaemon;
  readonly id: string;
  /** "127.0.0.1:port". */
  readonly address: string;
}

/** Verbs and maps that a host's policy gives to a controller. */
export interface HostRule {
  readonly controller: string;
  readonly verbs: "all" | readonly string[];
}

/** What a relay or a host is started with beside what all have. */
export interface SecureOptions {
  readonly args?: readonly string[];
  readonly logLevel?: string;
  /** Instead of its own. */
  readonly certificate?: Certificate;
  /** Policy in place of the usual one, as an object. */
  readonly policy?: object;
}

/** A fleet whose parts know each other by their certificates, in one test. */
export class SecureFleet {
  readonly authority: Authority = createAuthority();
  readonly #storeArgs: readonly string[];
  #clients = 0;

  /** @param storeArgs where all relays have their store */
  constructor(storeArgs: readonly string[]) {
    this.#storeArgs = storeArgs;
  }

  /** A certificate of a relay, a host or a controller. */
  relayCertificate(id: string): Certificate {
    const names = `DNS:localhost,IP:127.0.0.1,URI:spiffe://test/relay/${id}`;
    return this.authority.issue(`relay-${id}`, names);
  }

  hostCertificate(id: string): Certificate {
    return this.authority.issue(`host-${id}`, `URI:spiffe://test/host/${id}`);
  }

  async relay(id: string, options: SecureOptions = {}): Promise<SecureRelay> {
    const address = `127.0.0.1:${await freePort()}`;
    const certificate = options.certificate ?? this.relayCertificate(id);
    const { certFile, keyFile } = certificate;
    const daemon = await startDaemon({
      role: "relay",
      logLevel: options.logLevel ?? "info",
      args: [
        ...["--relay-id", id, "--advertise", address, "--tcp", address],
        ...["--tls-cert", certFile, "--tls-key", keyFile],
        ...["--tls-client-ca", this.authority.certFile],
        ...["--policy", policyFile(options.policy ?? RELAY_POLICY)],
        ...this.#dialArgs(certificate),
        ...QUICK,
        ...this.#storeArgs,
        ...(options.args ?? []),
      ],
    });
    return { daemon, id, address };
  }

  /** A host whose policy gives these rules. */
  async host(
    id: string,
    relays: readonly SecureRelay[],
    rules: readonly HostRule[],
    options: SecureOptions = {},
  ): Promise<TestDaemon & { readonly policy: string }> {
    const policy = policyFile(options.policy ?? hostPolicy(rules));
    const daemon = await startDaemon({
      logLevel: options.logLevel ?? "info",
      args: [
        ...["--host-id", id, "--policy", policy],
        ...relays.flatMap(({ address }) => ["--join", address]),
        ...this.#dialArgs(options.certificate ?? this.hostCertificate(id)),
        ...(options.args ?? []),
      ],
    });
    return Object.assign(daemon, { policy });
  }

  /** A controller's client of a relay; the token says more of who it is. */
  client(relay: SecureRelay, controller: string, token?: string): BpfmapClient {
    return this.clientOf(relay, `controller/${controller}`, token);
  }

  /** @param who the last part of its name, such as "host/h1" */
  clientOf(relay: SecureRelay, who: string, token?: string): BpfmapClient {
    const name = `${who.replace("/", "-")}-${++this.#clients}`;
    const { cert, key } = this.authority.issue(name, `URI:spiffe://test/${who}`);
    const client = connect({
      address: relay.address,
      tls: { ca: this.authority.cert, cert, key },
      ...(token !== undefined && { token }),
    });
    onTestFinished(() => client.close());
    return client;
  }

  fleet(relay: SecureRelay, controller: string): Fleet {
    return new Fleet(this.client(relay, controller));
  }

  #dialArgs({ certFile, keyFile }: Certificate): string[] {
    return [
      ...["--fleet-ca", this.authority.certFile],
      ...["--fleet-cert", certFile, "--fleet-key", keyFile],
    ];
  }
}

const IDENTITIES = {
  controllers: [{ san: ["spiffe://test/controller/*"] }],
  hosts: [{ san: ["spiffe://test/host/*"] }],
  relays: [{ san: ["spiffe://test/relay/*"] }],
};

/** Controllers may call it, hosts may register, relays may speak for others. */
export const RELAY_POLICY = {
  version: 1,
  unix_socket: "trusted",
  identities: IDENTITIES,
  fleet: { hosts: ["hosts"], relays: ["relays"] },
};

/** A host that lets its relays speak for controllers, and those do what the rules give. */
export function hostPolicy(rules: readonly HostRule[], fleet: object = { relays: ["relays"] }) {
  const named = rules.map(({ controller }) => [
    controller,
    [{ san: [`spiffe://test/controller/${controller}`] }],
  ]);
  return {
    version: 1,
    unix_socket: "trusted",
    identities: { relays: IDENTITIES.relays, ...Object.fromEntries(named) },
    fleet,
    rules: rules.map(({ controller, verbs }) => ({
      ...{ name: `of-${controller}`, identities: [controller] },
      ...{ verbs, maps: "all" },
    })),
  };
}

/** JSON is YAML. */
export function policyFile(policy: object, path = join(temporaryDirectory(), "policy.yaml")) {
  writeFileSync(path, JSON.stringify(policy));
  return path;
}

/** Lines of an audit file. */
export function auditLines(path: string): Record<string, unknown>[] {
  const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
