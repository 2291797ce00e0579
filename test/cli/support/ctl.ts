import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { Output } from "#dist/cli/output.js";
import { run } from "#dist/cli/run.js";
import type { TestDaemon } from "../../support/daemon.js";
import type { Ran } from "./bpftool.js";

const MAIN = resolve(import.meta.dirname, "../../../dist/cli/main.js");

/** The command line of bpfmapctl, as a process, for a daemon. */
export function ctlCommand(daemon: TestDaemon, args: readonly string[]): string[] {
  return [process.execPath, MAIN, "--address", `unix:${daemon.socket}`, ...args];
}

export interface CtlOptions {
  /** What standard input has; nothing unless given. */
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Runs bpfmapctl against a daemon, in this process: all of it but main.ts. Starting a
 * process for each command would take most of the tests' time.
 */
export async function ctl(
  daemon: TestDaemon,
  args: readonly string[],
  options: CtlOptions = {},
): Promise<Ran> {
  const { stdout, stderr, code } = await ctlBytes(daemon, args, options);
  return { stdout: stdout.toString("utf8"), stderr, code };
}

/** The same, with standard output as it is. */
export async function ctlBytes(
  daemon: TestDaemon,
  args: readonly string[],
  options: CtlOptions = {},
): Promise<{ stdout: Buffer; stderr: string; code: number }> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const code = await run(["--address", `unix:${daemon.socket}`, ...args], {
    out: new Output(collect(stdout)),
    isTerminal: false,
    stdin: options.input === undefined ? Readable.from([]) : stream(options.input),
    stderr: collect(stderr),
    env: options.env ?? {},
    signal: new AbortController().signal,
  });
  return {
    stdout: Buffer.concat(stdout),
    stderr: Buffer.concat(stderr).toString("utf8"),
    code,
  };
}

/** Runs bpfmapctl and fails unless it succeeds. Words are cut at spaces. */
export async function mustCtl(daemon: TestDaemon, line: string, options: CtlOptions = {}) {
  const ran = await ctl(daemon, line.split(" "), options);
  if (ran.code !== 0) {
    throw new Error(`bpfmapctl ${line}: ${ran.code}: ${ran.stdout}${ran.stderr}`);
  }
  return ran.stdout;
}

/** The words that are offered in place of the last of the words. */
export async function ctlComplete(daemon: TestDaemon, words: readonly string[]) {
  const stdout: Buffer[] = [];
  // More patience than a person at the keyboard has.
  await run(["complete", "--", "--timeout", "30s", ...words], {
    out: new Output(collect(stdout)),
    isTerminal: false,
    stdin: Readable.from([]),
    stderr: collect([]),
    env: { BPFMAPCTL_ADDRESS: `unix:${daemon.socket}` },
    signal: new AbortController().signal,
  });
  const lines = Buffer.concat(stdout).toString("utf8").trimEnd().split("\n");
  return lines.map((line) => line.split("\t")[0]);
}

/** Runs bpfmapctl as a process. */
export function ctlProcess(
  daemon: TestDaemon,
  args: readonly string[],
  options: { cwd?: string } = {},
): Promise<Ran> {
  const [program, ...rest] = ctlCommand(daemon, args);
  return new Promise((done, fail) => {
    const child = spawn(program!, rest, { stdio: ["ignore", "pipe", "pipe"], ...options });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (part) => {
      stdout += part;
    });
    child.stderr.on("data", (part) => {
      stderr += part;
    });
    child.on("error", fail);
    child.on("close", (code) => done({ stdout, stderr, code }));
  });
}

/** A stream that keeps copies of what is written: bpfmapctl uses its memory again. */
function collect(parts: Buffer[]): Writable {
  return new Writable({
    write(part: Buffer, _encoding, callback) {
      parts.push(Buffer.from(part));
      callback();
    },
  });
}

/** Standard input that comes in pieces. */
function stream(input: string | Buffer): Readable {
  const through = new PassThrough();
  const bytes = Buffer.from(input);
  for (let at = 0; at < bytes.length; at += 65_536) through.write(bytes.subarray(at, at + 65_536));
  through.end();
  return through;
}
