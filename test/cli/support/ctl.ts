import { spawn } from "node:child_process";
import { resolve } from "node:path";
import type { TestDaemon } from "../../support/daemon.js";
import type { Ran } from "./bpftool.js";

const MAIN = resolve(import.meta.dirname, "../../../dist/cli/main.js");

export interface CtlOptions {
  /** What standard input has; nothing unless given. */
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** The command line of bpfmapctl for a daemon. */
export function ctlCommand(daemon: TestDaemon, args: readonly string[]): string[] {
  return [process.execPath, MAIN, "--address", `unix:${daemon.socket}`, ...args];
}

/** Runs bpfmapctl against a daemon. */
export async function ctl(
  daemon: TestDaemon,
  args: readonly string[],
  options: CtlOptions = {},
): Promise<Ran> {
  const { stdout, stderr, code } = await ctlBytes(daemon, args, options);
  return { stdout: stdout.toString("utf8"), stderr, code };
}

/** The same, with standard output as it is. */
export function ctlBytes(
  daemon: TestDaemon,
  args: readonly string[],
  options: CtlOptions = {},
): Promise<{ stdout: Buffer; stderr: string; code: number | null }> {
  const [program, ...rest] = ctlCommand(daemon, args);
  return new Promise((done, fail) => {
    const child = spawn(program!, rest, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (part: Buffer) => out.push(part));
    child.stderr.on("data", (part: Buffer) => err.push(part));
    child.on("error", fail);
    child.on("close", (code) =>
      done({ stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString("utf8"), code }),
    );
    child.stdin.on("error", () => {}); // it may end before it has read all
    child.stdin.end(options.input ?? "");
  });
}

/** Runs bpfmapctl and fails unless it succeeds. Words are cut at spaces. */
export async function mustCtl(daemon: TestDaemon, line: string, options: CtlOptions = {}) {
  const ran = await ctl(daemon, line.split(" "), options);
  if (ran.code !== 0) {
    throw new Error(`bpfmapctl ${line}: ${ran.code}: ${ran.stdout}${ran.stderr}`);
  }
  return ran.stdout;
}
