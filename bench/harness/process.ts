import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpuSecondsOf } from "./cpu-seconds.js";

/** What a process printed, and how long it lived, from its start to its end. */
export interface Finished {
  stdout: string;
  seconds: number;
}

/** Runs a program to its end. Its output is returned, or goes to /dev/null. Throws where it fails. */
export async function run(
  program: string,
  args: string[],
  output: "return" | "discard" = "return",
): Promise<Finished> {
  const start = performance.now();
  const child = spawn(program, args, {
    stdio: ["ignore", output === "return" ? "pipe" : "ignore", "pipe"],
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  const seconds = (performance.now() - start) / 1000;
  if (code !== 0) {
    throw new Error(`${program} ${args.join(" ")} ended with ${code ?? signal}: ${await stderr}`);
  }
  return { stdout: await stdout, seconds };
}

async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = "";
  if (stream !== null) for await (const part of stream) text += part;
  return text;
}

const goPrograms = fileURLToPath(new URL("../go/", import.meta.url));

const python = fileURLToPath(new URL("../../../clients/python/.venv/bin/python", import.meta.url));

/** Where `make bench` puts a program of bench/go. */
export function goProgram(name: string): string {
  return join(goPrograms, name);
}

/** A program that is no Node.js, with Node's channel to a child all the same. */
function withChannel(program: string, args: string[]): ChildProcess {
  return spawn(program, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
}

/** Where a server is, and what it takes to be served. */
export interface Endpoint {
  /** "unix:/path", or "host:port". */
  readonly address: string;
  /** The file with the certificates to trust; absent where TCP is plain. */
  readonly ca?: string;
  readonly token?: string;
}

function flag(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [name, value];
}

/**
 * A client in a process of its own (bench/clients, bench/go/client): connected when
 * `start` returns, it does its work at each `ask` and answers with one message.
 */
export class ClientProcess {
  private constructor(private readonly child: ChildProcess) {}

  static start(name: string, args: string[]): Promise<ClientProcess> {
    const file = fileURLToPath(new URL(`../clients/${name}.js`, import.meta.url));
    return ClientProcess.of(fork(file, args));
  }

  /** The Go client of a server, or one that does the work itself with cilium/ebpf. */
  static startGo(server: Endpoint | "kernel"): Promise<ClientProcess> {
    const { address, ca, token } = server === "kernel" ? { address: server } : server;
    const flags = [...flag("-ca", ca), ...flag("-token", token)];
    return ClientProcess.of(withChannel(goProgram("client"), [...flags, address]));
  }

  /** A client in Python, with the package of this checkout. */
  static startPython(name: string, args: string[]): Promise<ClientProcess> {
    const file = fileURLToPath(new URL(`../../clients/${name}.py`, import.meta.url));
    return ClientProcess.of(withChannel(python, [file, ...args]));
  }

  private static async of(child: ChildProcess): Promise<ClientProcess> {
    const client = new ClientProcess(child);
    await client.answer();
    return client;
  }

  async ask<Answer>(question: unknown): Promise<Answer> {
    this.child.send(question as object);
    return (await this.answer()) as Answer;
  }

  /** CPU time since its start, in seconds. */
  cpuSeconds(): Promise<number> {
    return cpuSecondsOf(this.child);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill();
    await ended;
  }

  private async answer(): Promise<unknown> {
    const died = new AbortController();
    try {
      return await Promise.race([
        once(this.child, "message", died).then(([message]) => message),
        once(this.child, "exit", died).then(([code]) => {
          throw new Error(`${this.child.spawnfile} client ended early with ${code}`);
        }),
      ]);
    } finally {
      died.abort();
    }
  }
}
