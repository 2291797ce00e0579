import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFailed, onTestFinished } from "vitest";

export interface ProgramOptions {
  /** Runs it on a terminal of its own. */
  terminal?: boolean;
  env?: Readonly<Record<string, string>>;
}

/** A program that runs until it is stopped; killed when the test ends. */
export class Program {
  /** What it has printed so far, on both outputs. */
  output = "";
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly #hasTerminal: boolean;
  #wake = () => {};

  /** Runs lines of a shell, the last one in its place, in a directory and in a process group of its own. */
  constructor(lines: string, directory: string, options: ProgramOptions = {}) {
    const { terminal = false, env = {} } = options;
    // A shell of its own would take the interrupt for itself.
    const run = lines.replace(/.*$/, "exec $&");
    const command = terminal ? ["script", "-qefc", run, "/dev/null"] : ["sh", "-c", run];
    this.#hasTerminal = terminal;
    this.#child = spawn(command[0]!, command.slice(1), {
      cwd: directory,
      detached: true,
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#exit = once(this.#child, "close").then(() => this.#wake());
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        this.#wake();
      });
    }
    onTestFailed(() => console.error(`${lines}\n${this.output}`));
    onTestFinished(() => this.#signal("SIGKILL"));
  }

  /** Waits until it has printed something since `from`; resolves with where that ends. */
  async hasPrinted(pattern: RegExp, from = 0): Promise<number> {
    for (;;) {
      const match = pattern.exec(this.output.slice(from));
      if (match) return from + match.index + match[0].length;
      if (this.#hasEnded) throw new Error(`it ended without ${pattern}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Interrupts it as Ctrl-C does; resolves with its exit code. */
  async interrupt(): Promise<number | null> {
    if (this.#hasTerminal) this.#child.stdin!.write("\x03");
    else this.#signal("SIGINT");
    await this.#exit;
    return this.#child.exitCode;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.#child.pid!, signal);
    } catch {
      // It has ended.
    }
  }
}
