import type { OpenMap, ThreadPool } from "../maps/index.js";
import { AsyncQueue } from "./async-queue.js";
import type { WatchArgs, WatchCommand, WatchReport } from "./watch-protocol.js";

interface Pending {
  readonly command: WatchCommand["type"];
  /** Open until the answer has come, for commands that look at the map. */
  readonly map: OpenMap | undefined;
}

/** The main thread's side of a watch job: what it was asked for and has not answered yet. */
export class JobDesk {
  readonly #commands = new AsyncQueue<WatchCommand>();
  readonly #pending: Pending[] = [];
  readonly #stop = new AbortController();

  /** Runs the job to its end, which is where {@link close} ends it. Throws what it fails with. */
  async run(
    threads: ThreadPool,
    args: WatchArgs,
    take: (report: WatchReport) => void,
  ): Promise<void> {
    const { signal } = this.#stop;
    try {
      const reports = threads.run<WatchReport, void>("watch", args, signal, this.#commands);
      for await (const report of reports) take(report);
    } finally {
      for (const { map } of this.#pending.splice(0)) map?.close();
    }
  }

  /** Asks for something; the map that it looks at is closed when the answer has come. */
  ask(command: WatchCommand, map?: OpenMap): void {
    this.#pending.push({ command: command.type, map });
    this.#commands.push(command);
  }

  /** Whether a command of a kind waits for its answer. */
  isPending(command: WatchCommand["type"]): boolean {
    return this.#pending.some((pending) => pending.command === command);
  }

  /** Notes that the first command of a kind is done; looks can overtake scans. */
  answered(command: WatchCommand["type"]): void {
    const index = this.#pending.findIndex((pending) => pending.command === command);
    for (const { map } of this.#pending.splice(index, 1)) map?.close();
  }

  /** Ends the job. */
  close(): void {
    this.#commands.close();
    this.#stop.abort();
  }
}
