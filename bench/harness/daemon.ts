import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BpfmapClient, connect } from "@bpfmapd/client";
import { cpuSecondsOf } from "./cpu-seconds.js";
import { run } from "./process.js";

const main = fileURLToPath(new URL("../../../dist/daemon/main.js", import.meta.url));

/** A daemon of its own: with a socket and a bpffs in a directory of its own. */
export class Daemon {
  private constructor(
    private readonly directory: string,
    private readonly process: ChildProcess,
    /** For connect(): "unix:/path". */
    readonly address: string,
    /** Where its bpffs is mounted. */
    readonly bpffs: string,
    readonly client: BpfmapClient,
  ) {}

  static async start(directory: string, more: string[] = []): Promise<Daemon> {
    const bpffs = join(directory, "bpf");
    const socket = join(directory, "socket");
    await mkdir(bpffs, { recursive: true });
    await run("mount", ["-t", "bpf", "bpf", bpffs]);
    const args = [main, "--socket", socket, "--bpffs-root", bpffs, "--log-level", "warn", ...more];
    const logFile = join(directory, "log");
    const log = await open(logFile, "w");
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", log.fd] });
    await log.close();
    const address = `unix:${socket}`;
    const daemon = new Daemon(directory, child, address, bpffs, connect({ address }));
    try {
      await daemon.client.waitForReady(20_000);
    } catch (error) {
      const logged = await readFile(logFile, "utf8");
      await daemon.stop();
      throw new Error(`the daemon does not serve: ${logged}`, { cause: error });
    }
    return daemon;
  }

  /** Largest resident memory since its start, in MiB. */
  async peakMiB(): Promise<number> {
    return (await this.statusKiB("VmHWM")) / 1024;
  }

  /** Resident memory now, in MiB. */
  async residentMiB(): Promise<number> {
    return (await this.statusKiB("VmRSS")) / 1024;
  }

  /** CPU time of all its threads since its start, in seconds. */
  async cpuSeconds(): Promise<number> {
    return cpuSecondsOf(this.process);
  }

  private async statusKiB(field: string): Promise<number> {
    const status = await readFile(`/proc/${this.process.pid}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(status)?.[1]);
  }

  /** Ends it and unmounts its bpffs, and so frees every map that it held or pinned. */
  async stop(): Promise<void> {
    this.client.close();
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = once(this.process, "exit");
      this.process.kill();
      await ended;
    }
    await run("umount", [this.bpffs]);
    await rm(this.directory, { recursive: true, force: true });
  }
}
