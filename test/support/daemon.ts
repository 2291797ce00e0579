import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { type BpfmapClient, connect } from "@bpfmapd/client";
import { onTestFinished } from "vitest";

const MAIN = resolve(import.meta.dirname, "../../dist/daemon/main.js");
/** Longer on machines that are slow, as the guests of test/kernels. */
const START_TIMEOUT_MS = Number(process.env.BPFMAPD_TEST_START_LIMIT_MS ?? 30_000);
const STOP_TIMEOUT_MS = 30_000;

export interface DaemonOptions {
  /**
   * Further arguments; they come last, so they win. "{directory}" in them is the daemon's own
   * directory, which goes with it.
   */
  args?: readonly string[];
  /** What the program is run as; "serve" unless given. */
  role?: "serve" | "relay";
  /** Further environment variables; undefined removes one. */
  env?: Readonly<Record<string, string | undefined>>;
  /** What to run the daemon under, such as ["setpriv", "--bounding-set", "-all"]. */
  under?: readonly string[];
  /** How long it may take to start, in milliseconds; for machines that are slow. */
  startTimeoutMs?: number;
  /** Log level; "warn" unless given. The line "serving" is printed on every level. */
  logLevel?: string;
  /** Tells whether a line of the log says that it serves, for logs that are no JSON. */
  isReady?: (line: string) => boolean;
}

/** One line of the daemon's log; lines that are no JSON have only `msg`. */
export interface LogLine {
  msg: string;
  level?: string;
  [key: string]: unknown;
}

/** A daemon of its own for one test or one file of tests. */
export interface TestDaemon {
  /** A client of the daemon; it connects anew after a restart. */
  readonly client: BpfmapClient;
  /** Path of the daemon's unix socket. */
  readonly socket: string;
  /** The daemon's only bpffs root: a bpffs that nobody else uses. */
  readonly bpffs: string;
  /** A directory for this daemon's files; removed with it. */
  readonly directory: string;
  /** Process id of the daemon that runs now. */
  readonly pid: number;
  /** What the daemon has logged so far, over all its restarts. */
  readonly logs: readonly LogLine[];
  /** SIGTERM, unless another signal is given; resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** SIGKILL: no goodbye, as after a crash. */
  kill(): Promise<void>;
  /** Stops it, unless it is not running any more, and starts it again on the same socket and bpffs. */
  restart(): Promise<void>;
  /** Stops it and removes everything. Called by itself at the end of a test. */
  dispose(): Promise<void>;
}

/**
 * Starts a daemon on a private socket and a private bpffs, and waits until it serves.
 * Inside a test it goes when the test is over; in a hook, dispose of it:
 *
 *     beforeAll(async () => {
 *       daemon = await startDaemon();
 *       return () => daemon.dispose();
 *     });
 */
export async function startDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
  const daemon = new DaemonProcess(options);
  disposeWithTest(() => daemon.dispose());
  try {
    await daemon.start();
  } catch (error) {
    await daemon.dispose();
    throw error;
  }
  return daemon;
}

/** Mounts a bpffs of its own on a directory, which is made for it. */
export function mountPrivateBpffs(directory: string): void {
  mkdirSync(directory, { recursive: true });
  const mount = spawnSync("mount", ["-t", "bpf", "bpf", directory], { encoding: "utf8" });
  if (mount.status !== 0) {
    throw new Error(`cannot mount a bpffs on ${directory}: ${mount.stderr || mount.error}`);
  }
}

class DaemonProcess implements TestDaemon {
  readonly directory = mkdtempSync(join(tmpdir(), "bpfmapd-test-"));
  readonly socket = join(this.directory, "run", "bpfmapd.sock");
  readonly bpffs = join(this.directory, "bpffs");
  readonly client: BpfmapClient;
  readonly logs: LogLine[] = [];
  readonly #options: DaemonOptions;
  #child: ChildProcess | undefined;
  #disposed = false;
  readonly #removeAtExit = () => this.#remove();

  constructor(options: DaemonOptions) {
    this.#options = options;
    process.on("exit", this.#removeAtExit);
    mountPrivateBpffs(this.bpffs);
    this.client = connect({
      address: `unix:${this.socket}`,
      channelOptions: { "grpc.initial_reconnect_backoff_ms": 50 },
    });
  }

  get #startTimeoutMs(): number {
    return this.#options.startTimeoutMs ?? START_TIMEOUT_MS;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("the daemon is not running");
    return pid;
  }

  async start(): Promise<void> {
    const { role = "serve", args = [], env = {}, under = [], logLevel = "warn" } = this.#options;
    const command = [
      // The daemon goes with the test's process, however that ends.
      ...["setpriv", "--pdeathsig", "KILL"],
      ...under,
      process.execPath,
      MAIN,
      role,
      ...["--socket", this.socket],
      ...["--bpffs-root", this.bpffs],
      ...["--log-level", logLevel],
      ...args.map((arg) => arg.replace("{directory}", this.directory)),
    ];
    const child = spawn(command[0] as string, command.slice(1), {
      env: { ...process.env, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    await this.#serving(child);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    return this.#end(signal);
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
    await this.client.waitForReady(this.#startTimeoutMs);
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.client.close();
    try {
      await this.stop();
    } finally {
      this.#remove();
      process.off("exit", this.#removeAtExit);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, "exit") as Promise<[number | null]>;
    child.kill(signal);
    const hung = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    const [code] = await exit;
    clearTimeout(hung);
    return code;
  }

  /** Resolves when the daemon says that it serves, rejects with its log when it ends before. */
  #serving(child: ChildProcess): Promise<void> {
    return new Promise((done, fail) => {
      const from = this.logs.length;
      const failed = (what: string) => {
        clearTimeout(timer);
        const log = this.logs.slice(from).map((line) => JSON.stringify(line));
        fail(new Error(`the daemon ${what}; its log:\n${log.join("\n")}`));
      };
      const timer = setTimeout(() => failed("did not start in time"), this.#startTimeoutMs);
      child.once("error", (error) => failed(`could not be started: ${error.message}`));
      child.once("close", (code, signal) => failed(`ended with ${code ?? signal}`));
      createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (text) => {
        const line = parseLine(text);
        this.logs.push(line);
        if (line.msg !== "serving" && !this.#options.isReady?.(line.msg)) return;
        clearTimeout(timer);
        done();
      });
    });
  }

  /** Runs at the end of the process too, where nothing asynchronous is left. */
  #remove(): void {
    this.#child?.kill("SIGKILL");
    spawnSync("umount", ["-l", this.bpffs]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function parseLine(text: string): LogLine {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line === "object" && line !== null && "msg" in line) return line as LogLine;
  } catch {
    // Not JSON: a crash of Node itself, or log.format pretty.
  }
  return { msg: text };
}

function disposeWithTest(dispose: () => Promise<void>): void {
  try {
    onTestFinished(dispose);
  } catch {
    // No test runs: this is a hook, whose author disposes of the daemon.
  }
}
