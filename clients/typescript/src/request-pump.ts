import type { Writable } from "node:stream";

/** Sends the messages of a call's requests at the pace at which the connection takes them. */
export class RequestPump {
  readonly #source: AsyncIterator<Uint8Array>;
  #isOver = false;
  #wake = () => {};

  constructor(requests: AsyncIterable<Uint8Array>) {
    this.#source = requests[Symbol.asyncIterator]();
  }

  /** Sends until there are no more, or until {@link stop}. Throws what the requests throw. */
  async run(call: Pick<Writable, "write" | "end" | "once">): Promise<void> {
    for (;;) {
      const { done, value } = await this.#source.next();
      if (this.#isOver) return;
      if (done) {
        call.end();
        return;
      }
      if (!call.write(value)) {
        // A call that ended never drains, so its end must wake the pump as well.
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          call.once("drain", resolve);
        });
        if (this.#isOver) return;
      }
    }
  }

  /** Asks for no further request, and calls `return()` on their iterator. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wake();
    // Not awaited: an iterator that is stuck in next() answers return() only later.
    Promise.resolve(this.#source.return?.()).catch(() => {});
  }
}
