import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A system call that goes wrong, as strace's `-e inject` has it. */
export interface Fault {
  readonly syscall: "bpf" | "mmap" | "epoll_create1" | "epoll_wait";
  /** What happens instead of the call, such as "error=ENOMEM", or at it, "signal=SIGKILL". */
  readonly what: string;
  /** Which calls of each thread, from the first after now: "3", "1..3", or "3+" for all from there. */
  readonly when: string;
  /** Only calls on files of this name, such as "anon_inode:bpf-map". */
  readonly path?: string;
}

/** What a piece of work came to under a fault. */
export interface Injected<T> {
  readonly outcome: PromiseSettledResult<T>;
  /** The calls that failed, as strace tells them; none where the work has fewer calls. */
  readonly hits: readonly string[];
}

let traces = 0;

/** Does `work` while system calls of a process, in all its threads, go wrong. */
export async function withFault<T>(
  pid: number,
  { syscall, what, when, path }: Fault,
  work: () => Promise<T>,
): Promise<Injected<T>> {
  traces += 1;
  const output = join(tmpdir(), `bpfmapd-strace-${process.pid}-${traces}`);
  const strace = spawn(
    "strace",
    [
      ...["-f", "-p", String(pid), "-o", output],
      ...["-e", `trace=${syscall}`, "-e", `inject=${syscall}:${what}:when=${when}`],
      ...(path === undefined ? [] : ["-P", path]),
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = once(strace, "exit");
  try {
    await attached(strace.stderr);
    const [outcome] = await Promise.allSettled([work()]);
    // Of a process that was killed strace would wait for threads that are gone.
    strace.kill(what.startsWith("signal") ? "SIGKILL" : "SIGINT");
    await ended;
    const lines = readFileSync(output, "utf8").split("\n");
    return { outcome, hits: lines.filter((line) => line.includes("(INJECTED)")) };
  } finally {
    strace.kill("SIGKILL");
    rmSync(output, { force: true });
  }
}

/** Resolves when strace holds the process; it ends where it may not trace. */
function attached(stderr: NodeJS.ReadableStream): Promise<void> {
  const told: string[] = [];
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: stderr });
    // Goes on to be read: strace tells of threads that begin later, too.
    lines.on("line", (line) => {
      told.push(line);
      if (line.includes("attached")) resolve();
    });
    lines.on("close", () => reject(new Error(`strace cannot trace: ${told.join("\n")}`)));
  });
}
