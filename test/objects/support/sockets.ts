import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { onTestFinished } from "vitest";

const SCRIPT = resolve(import.meta.dirname, "sockets.py");

/** Kinds of sockets, as sockets.py has functions for them. */
export type SocketKind =
  | "tcp_listen"
  | "tcp_connected"
  | "tcp_fresh"
  | "udp_bound"
  | "udp_reuseport"
  | "unix_connected"
  | "xdp"
  | "a_file";

/** A process with sockets; it ends with the test. */
export class SocketProcess {
  readonly pid: number;
  /** One fd for each kind asked for. */
  readonly fds: readonly number[];
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess, lines: Interface, pid: number, fds: number[]) {
    this.#child = child;
    this.#lines = lines;
    this.pid = pid;
    this.fds = fds;
  }

  static async start(...kinds: SocketKind[]): Promise<SocketProcess> {
    const child = spawn("python3", [SCRIPT, ...kinds], { stdio: ["pipe", "pipe", "inherit"] });
    const exit = once(child, "exit");
    onTestFinished(async () => {
      child.stdin.end();
      await exit;
    });
    const lines = createInterface({ input: child.stdout });
    const [line] = (await once(lines, "line")) as [string];
    const { pid, fds } = JSON.parse(line) as { pid: number; fds: number[] };
    return new SocketProcess(child, lines, pid, fds);
  }

  /** A reference to the socket of this number, in the order of the kinds. */
  ref(index: number) {
    const file = { pid: this.pid, fd: this.fds[index]! };
    return { ref: { case: "file" as const, value: file } };
  }

  /** Closes a socket, as its process would. */
  async close(index: number): Promise<void> {
    const done = once(this.#lines, "line");
    this.#child.stdin?.write(`close ${this.fds[index]}\n`);
    await done;
  }
}
