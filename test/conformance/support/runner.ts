import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";

/** What a runner answers to a command. */
export type Answer =
  | { answer: Record<string, unknown>; error?: undefined }
  | { error: { code: string; reason: string; fields: string[] }; answer?: undefined };

const ANSWER_TIMEOUT_MS = 45_000;

/** A client's runner, as a process that takes one command at a time. */
export class Runner {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(command: readonly string[], address: string) {
    const [file, ...args] = command;
    this.#process = spawn(file as string, [...args, address], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#reader = createInterface({ input: this.#process.stdout! });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Does a command. A runner that does not answer is killed: it could answer the next one. */
  async do(command: string, args: object): Promise<Answer> {
    this.#process.stdin!.write(`${JSON.stringify({ command, ...args })}\n`);
    const hung = setTimeout(() => this.#process.kill("SIGKILL"), ANSWER_TIMEOUT_MS);
    const { done, value } = await this.#lines.next();
    clearTimeout(hung);
    if (done) throw new Error(`the runner did not answer to ${command}`);
    return JSON.parse(value);
  }

  /** Ends it; throws unless it ends well, and soon. */
  async close(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.stdin!.end();
    const hung = setTimeout(() => this.#process.kill("SIGKILL"), ANSWER_TIMEOUT_MS);
    const [code, signal] = await exited;
    clearTimeout(hung);
    this.#reader.close();
    if (code !== 0) throw new Error(`the runner ended with ${code ?? signal}`);
  }
}
