import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { MapHandle } from "@bpfmapd/client";
import { expect, it, onTestFinished } from "vitest";
import { Assembler, ProgramType } from "#dist/kernel/index.js";
import { createAuthority } from "../daemon/support/certificates.js";
import { runIn, twoHosts } from "../examples/support/two-hosts.js";
import { loadProgram, pinProgram } from "../objects/support/objects.js";
import { hex, u32, u64 } from "../service/support/elements.js";
import { makeMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { allowAll, policyFile } from "../support/policy.js";

const POLICY = `${allowAll("{san: [localhost]}")}unix_socket: trusted\n`;
const ADDRESS = "192.0.2.1:7443";
const XDP_DROP = 1;
const RESTARTS = 10;
/** How long no packet goes through; BPFMAPD_DROP_SECONDS=60 for a minute. */
const DROP_MS = Number(process.env.BPFMAPD_DROP_SECONDS ?? 4) * 1000;
/** How often the connection is asked, and how long the answer may take before it is given up. */
const KEEPALIVE_MS = 1_000;

interface Report {
  readonly contents: readonly (readonly [string, string])[];
  readonly counts: { readonly resyncs: number; readonly created: number; readonly lost: number };
  readonly resources: readonly string[];
}

interface Open {
  readonly sockets: number;
  readonly timers: number;
}

/** A process with a watch, on another host than the daemon. */
class Watching {
  readonly #child: ChildProcess;

  constructor(namespace: string, options: object) {
    const script = join(import.meta.dirname, "support/watching-process.mjs");
    const node = [process.execPath, script, JSON.stringify(options)];
    this.#child = spawn("ip", ["netns", "exec", namespace, ...node], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    onTestFinished(() => void this.#child.kill("SIGKILL"));
  }

  async report(): Promise<Report> {
    const answer = once(this.#child, "message");
    this.#child.send("report");
    return (await answer)[0];
  }

  /** Waits until it holds what the map holds. */
  async holds(map: MapHandle): Promise<Report> {
    for (;;) {
      const expected = new Map<string, string>();
      for await (const [key, value] of map.dump()) expected.set(hex(key), hex(value));
      const report = await this.report();
      const isSame = report.contents.every(([key, value]) => expected.get(key) === value);
      if (isSame && report.contents.length === expected.size) return report;
      await sleep(50);
    }
  }

  /** What it has open that a lost connection could leave behind. */
  async open(): Promise<Open> {
    const { resources } = await this.report();
    const directory = `/proc/${this.#child.pid}/fd`;
    const targets = readdirSync(directory).map((fd) => linkOf(join(directory, fd)));
    const sockets = targets.filter((target) => target.startsWith("socket:")).length;
    return { sockets, timers: resources.filter((each) => each === "Timeout").length };
  }

  /**
   * Waits until it has no more open than before: the connection that was given up is closed
   * once the other side has said goodbye too.
   */
  async closesDownTo(before: Open): Promise<void> {
    for (;;) {
      const { sockets, timers } = await this.open();
      if (sockets <= before.sockets && timers <= before.timers) return;
      await sleep(100);
    }
  }

  /** Ends the watch and closes the client; resolves once nothing keeps the process alive. */
  async end(): Promise<number | null> {
    const exit = once(this.#child, "exit");
    this.#child.send("end");
    return (await exit)[0];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // The directory was listed by way of this one.
  }
}

/** Drops every packet that comes to either host, without a word to anybody. */
function dropPackets(daemon: TestDaemon, namespaces: readonly string[]): () => void {
  const program = loadProgram({ type: ProgramType.XDP }, new Assembler().return(XDP_DROP));
  const pin = pinProgram(daemon, program);
  const setXdp = (...how: string[]) => {
    for (const name of namespaces) runIn(name, "ip", "link", "set", "dev", "eth0", "xdp", ...how);
  };
  setXdp("pinned", pin);
  return () => setXdp("off");
}

it(
  "a watch loses nothing over restarts and dropped packets, and leaves nothing open",
  async () => {
    const { host, peer } = twoHosts({ host: ["192.0.2.1/24"], peer: ["192.0.2.2/24"] });
    const authority = createAuthority();
    const { certFile, keyFile } = authority.issue("daemon");
    const watcher = authority.issue("watcher");
    const daemon = await startDaemon({
      under: ["ip", "netns", "exec", host],
      args: [
        ...["--tcp", ADDRESS, "--tls-cert", certFile, "--tls-key", keyFile],
        ...["--tls-client-ca", authority.certFile, "--policy", policyFile(POLICY)],
      ],
    });
    const map = await makeMap(daemon, shapeOf("HASH"));
    const held = daemon.client.map({ held: map.hold });
    await held.update(u32(0), u64(0));
    const watching = new Watching(peer, {
      address: ADDRESS,
      ca: authority.certFile,
      cert: watcher.certFile,
      key: watcher.keyFile,
      serverName: "localhost",
      hold: map.hold,
      pollIntervalMs: 20,
      keepaliveMs: KEEPALIVE_MS,
    });
    await watching.holds(held);
    const before = await watching.open();

    for (let restart = 1; restart <= RESTARTS; restart++) {
      await held.update(u32(restart), u64(restart));
      if (restart % 2 === 0) await daemon.kill();
      await daemon.restart();
      await held.delete(u32(restart - 1));
      // Every third time it has not found the daemon again when that goes.
      if (restart % 3 !== 0) await watching.holds(held);
    }
    const restarted = await watching.holds(held);
    expect(restarted.counts.resyncs).toBeGreaterThan(0);
    expect(restarted.counts.lost).toBeGreaterThan(0);

    const undrop = dropPackets(daemon, [host, peer]);
    const until = Date.now() + DROP_MS;
    for (let change = 100; Date.now() < until; change++) {
      await held.update(u32(change % 500), u64(change));
      await held.delete(u32((change * 7) % 500));
      await sleep(5);
    }
    const meanwhile = await watching.report();
    undrop();
    const dropped = await watching.holds(held);
    // It was really cut off, and had found out.
    expect(meanwhile.contents).toEqual(restarted.contents);
    expect(dropped.counts.lost).toBeGreaterThan(restarted.counts.lost);

    await held.update(u32(999), u64(999));
    await watching.holds(held);
    await watching.closesDownTo(before);
    expect(await watching.end()).toBe(0);
  },
  600_000 + 2 * DROP_MS,
);
