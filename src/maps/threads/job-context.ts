import { setImmediate as nextTurn } from "node:timers/promises";
import type { TransferListItem } from "node:worker_threads";
import { post, type ToJob, WINDOW } from "./job-message.js";
import type { JobPort } from "./local-port.js";

/** Ends a job that nobody waits for any more. */
export class JobCancelled extends Error {}

/** A job's side of its port: what it sends, receives, and is told to stop by. */
export class JobContext {
  readonly #port: JobPort;
  #credit = WINDOW;
  #cancelled = false;
  #ended = false;
  readonly #inputs: unknown[] = [];
  readonly #waiting: (() => void)[] = [];
  #sent: Promise<void> = Promise.resolve();

  constructor(port: JobPort) {
    this.#port = port;
    port.on("message", (message) => this.#receive(message as ToJob));
  }

  /**
   * Sends an output when the consumer has room for it, and after all outputs before it;
   * `transfer` is no longer ours.
   */
  send(value: unknown, transfer: readonly TransferListItem[]): Promise<void> {
    const sent = this.#sent.then(() => this.#sendNow(value, transfer));
    this.#sent = sent.catch(() => {});
    return sent;
  }

  /** The inputs, in order, until their end. */
  async *inputs<T>(): AsyncGenerator<T> {
    for (;;) {
      while (this.#inputs.length === 0) {
        if (this.#ended) return;
        await this.#wait();
      }
      yield this.#inputs.shift() as T;
      post(this.#port, { type: "credit" });
    }
  }

  /** Lets other jobs of this thread run. Call it after each kernel call that may be long. */
  async turn(): Promise<void> {
    await nextTurn();
    this.throwIfCancelled();
  }

  /** Throws {@link JobCancelled} where nobody waits for the job any more. */
  throwIfCancelled(): void {
    if (this.#cancelled) throw new JobCancelled();
  }

  async #sendNow(value: unknown, transfer: readonly TransferListItem[]): Promise<void> {
    while (this.#credit === 0) await this.#wait();
    this.throwIfCancelled();
    this.#credit--;
    post(this.#port, { type: "output", value }, transfer);
  }

  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.throwIfCancelled();
  }

  #receive(message: ToJob): void {
    if (message.type === "credit") this.#credit++;
    else if (message.type === "input") this.#inputs.push(message.value);
    else if (message.type === "end") this.#ended = true;
    else this.#cancelled = true;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
