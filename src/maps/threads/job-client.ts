import { type FromJob, fromPortable, Handover, post, toPortable, WINDOW } from "./job-message.js";
import type { JobPort } from "./local-port.js";

/** The main thread's side of a job. */
export class JobClient {
  readonly #port: JobPort;
  readonly #messages: FromJob[] = [];
  #inputCredit = WINDOW;
  #finished = false;
  #wakeReader: () => void = () => {};
  #wakeFeeder: () => void = () => {};

  constructor(port: JobPort) {
    this.#port = port;
    port.on("message", (message) => this.#receive(message as FromJob));
  }

  /**
   * Yields the job's outputs and returns its result. However it is left, it waits until
   * the job has stopped, so that what the job used may be closed after.
   *
   * @param signals each of them cancels the job. (AbortSignal.any leaves something for each job
   *   in the memory of the signal that outlives it.)
   */
  async *outputs<Output, Result>(
    input: AsyncIterable<unknown> | undefined,
    signals: readonly AbortSignal[],
  ): AsyncGenerator<Output, Result, undefined> {
    const cancel = () => this.#tell("cancel");
    let inputError: { readonly error: unknown } | undefined;
    for (const signal of signals) signal.addEventListener("abort", cancel);
    if (input) {
      this.#feed(input).catch((error: unknown) => {
        inputError = { error };
        cancel();
      });
    }
    try {
      throwIfAborted(signals);
      for (;;) {
        const message = await this.#next();
        if (message.type === "output") {
          yield message.value as Output;
          this.#tell("credit");
        } else if (message.type === "done") {
          return message.result as Result;
        } else if (message.type === "failed") {
          if (inputError) throw inputError.error;
          throwIfAborted(signals);
          throw fromPortable(message.error);
        }
      }
    } finally {
      for (const signal of signals) signal.removeEventListener("abort", cancel);
      cancel();
      while (!this.#finished) await this.#next();
      this.#wakeFeeder();
      this.#port.close();
    }
  }

  /** Ends the job where its thread has died. */
  abandon(cause: unknown): void {
    if (this.#finished) return;
    this.#receive({ type: "failed", error: toPortable(cause) });
  }

  async #feed(input: AsyncIterable<unknown>): Promise<void> {
    for await (const given of input) {
      while (this.#inputCredit === 0 && !this.#finished) {
        await new Promise<void>((resolve) => {
          this.#wakeFeeder = resolve;
        });
      }
      if (this.#finished) return;
      this.#inputCredit--;
      const { value, memory } = given instanceof Handover ? given : new Handover(given, []);
      post(this.#port, { type: "input", value }, memory);
    }
    this.#tell("end");
  }

  async #next(): Promise<FromJob> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) return message;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }

  #tell(type: "credit" | "end" | "cancel"): void {
    if (!this.#finished) post(this.#port, { type });
  }

  #receive(message: FromJob): void {
    if (message.type === "credit") {
      this.#inputCredit++;
      this.#wakeFeeder();
      return;
    }
    if (message.type === "done" || message.type === "failed") {
      this.#finished = true;
      this.#wakeFeeder();
    }
    this.#messages.push(message);
    this.#wakeReader();
  }
}

function throwIfAborted(signals: readonly AbortSignal[]): void {
  for (const signal of signals) signal.throwIfAborted();
}
