import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { openEtcdStore, type Store } from "#dist/fleet/store/index.js";
import type { StoreKind } from "../store-contract/fixture.ts";

/** Debian's, unless `make test-etcd` says that it be another one. */
const PROGRAM = process.env.BPFMAPD_ETCD ?? "etcd";

/** How an etcd is started. */
export interface EtcdOptions {
  /** Further arguments. */
  args?: readonly string[];
  /** PEM files, for https with client certificates. */
  tls?: EtcdTls;
}

/** Files; clients' certificates are to be of the same authority. */
export interface EtcdTls {
  ca: string;
  cert: string;
  key: string;
}

/** An etcd of one member, of a test's own. */
export interface TestEtcd {
  /** Its client URL, the same after a restart. */
  readonly endpoint: string;
  readonly dataDirectory: string;
  /** Starts it anew on its data, after a kill; resolves when it serves. */
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Until `resume`, it is there and answers nothing. */
  suspend(): Promise<void>;
  resume(): void;
  /** Kills it and removes its data. */
  dispose(): Promise<void>;
}

/** Starts an etcd on free ports of 127.0.0.1. It dies with this process. */
export async function startEtcd(options: EtcdOptions = {}): Promise<TestEtcd> {
  const [etcd] = await startEtcdCluster(1, options);
  return etcd!;
}

/** Starts a cluster of so many members. */
export async function startEtcdCluster(
  size: number,
  options: EtcdOptions = {},
): Promise<readonly TestEtcd[]> {
  // Somebody else may take a free port before etcd does: then others are tried.
  for (let tries = 1; ; tries++) {
    const members = await Promise.all(Array.from({ length: size }, () => newMember(options)));
    const cluster = members.map(({ member }) => member).join(",");
    const started = await Promise.allSettled(members.map((member) => member.join(cluster)));
    const failure = started.find(({ status }) => status === "rejected");
    if (failure === undefined) return members;
    await Promise.all(members.map((member) => member.dispose()));
    if (tries === 3) throw (failure as PromiseRejectedResult).reason;
  }
}

async function newMember(options: EtcdOptions): Promise<EtcdProcess> {
  return new EtcdProcess(await freePort(), await freePort(), options);
}

class EtcdProcess implements TestEtcd {
  readonly endpoint: string;
  readonly dataDirectory: string;
  readonly #name: string;
  readonly #peer: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "bpfmapd-etcd-"));
  readonly #options: EtcdOptions;
  #child: ChildProcess | undefined;
  #cluster = "";
  #said = "";
  readonly #removeAtExit = () => rmSync(this.#directory, { recursive: true, force: true });

  constructor(port: number, peerPort: number, options: EtcdOptions) {
    const scheme = options.tls === undefined ? "http" : "https";
    this.endpoint = `${scheme}://127.0.0.1:${port}`;
    this.#peer = `http://127.0.0.1:${peerPort}`;
    this.#name = `member-${port}`;
    this.dataDirectory = join(this.#directory, "data");
    this.#options = options;
    process.on("exit", this.#removeAtExit);
  }

  /** The member as `--initial-cluster` has it. */
  get member(): string {
    return `${this.#name}=${this.#peer}`;
  }

  /** Starts it as one of the members of a cluster. */
  join(cluster: string): Promise<void> {
    this.#cluster = cluster;
    return this.start();
  }

  async start(): Promise<void> {
    const { args = [], tls } = this.#options;
    const tlsArgs = tls && [
      ...["--cert-file", tls.cert, "--key-file", tls.key],
      ...["--client-cert-auth", "--trusted-ca-file", tls.ca],
    ];
    const command = [
      ...["--pdeathsig", "KILL", "--", PROGRAM, "--name", this.#name],
      ...["--data-dir", this.dataDirectory, "--logger", "zap", "--log-level", "warn"],
      ...["--listen-client-urls", this.endpoint, "--advertise-client-urls", this.endpoint],
      ...["--listen-peer-urls", this.#peer, "--initial-advertise-peer-urls", this.#peer],
      ...["--initial-cluster", this.#cluster],
      ...(tlsArgs ?? []),
      ...args,
    ];
    // Its settings may stand in the environment, too.
    const env = Object.entries(process.env).filter(([name]) => !name.startsWith("ETCD_"));
    const child = spawn("setpriv", command, {
      env: Object.fromEntries(env),
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    child.stderr?.on("data", (chunk) => {
      this.#said += chunk;
    });
    await this.#untilHealthy(child);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }

  async suspend(): Promise<void> {
    this.#child?.kill("SIGSTOP");
    // One thread stops after the other.
    while (!areStopped(this.#child?.pid)) await sleep(5);
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  async dispose(): Promise<void> {
    await this.kill();
    process.off("exit", this.#removeAtExit);
    this.#removeAtExit();
  }

  /** etcd answers /health, on the clients' port, once it has a leader. */
  async #untilHealthy(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!(await isHealthy(this.endpoint, this.#options.tls))) {
      const isGone = child.exitCode !== null || child.signalCode !== null;
      if (isGone || Date.now() > deadline) throw new Error(`etcd does not serve: ${this.#said}`);
      await sleep(25);
    }
  }
}

async function isHealthy(endpoint: string, tls: EtcdTls | undefined): Promise<boolean> {
  const answer = await askEtcd(`${endpoint}/health`, tls).catch(() => "");
  return answer.includes('"health":"true"');
}

/** Asks etcd over HTTP: with a body by POST, as its gateway to gRPC wants it. */
export function askEtcd(url: string, tls?: EtcdTls, body?: object): Promise<string> {
  const { request } = tls === undefined ? http : https;
  const files = tls && {
    ca: readFileSync(tls.ca),
    cert: readFileSync(tls.cert),
    key: readFileSync(tls.key),
  };
  const method = body === undefined ? "GET" : "POST";
  return new Promise((resolve, reject) => {
    const call = request(url, { ...files, method, agent: false }, (response) => {
      text(response).then(resolve, reject);
    });
    call.on("error", reject);
    call.setTimeout(5_000, () => call.destroy());
    call.end(body && JSON.stringify(body));
  });
}

function areStopped(pid: number | undefined): boolean {
  if (pid === undefined) return true;
  const threads = readdirSync(`/proc/${pid}/task`);
  const states = threads.map((id) => readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8"));
  return states.every((stat) => /\) T /.test(stat));
}

/** A TCP port of 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Stores on one etcd, each with a prefix of its own, for the contract. */
export function onEtcd(etcd: () => TestEtcd): StoreKind {
  let count = 0;
  return {
    name: PROGRAM,
    async fresh() {
      const prefix = `/contract/${++count}/`;
      const stores: Store[] = [];
      return {
        async connect() {
          const store = openEtcdStore({ endpoints: [etcd().endpoint], prefix });
          stores.push(store);
          return store;
        },
        async dispose() {
          await Promise.all(stores.map((store) => store.close()));
        },
      };
    },
  };
}
