import type { Writable } from "node:stream";

/** Somebody closed the pipe that is written to, as `| head` does. */
export class BrokenPipe extends Error {}

/** Standard output. Writing waits until the reader has taken the bytes. */
export class Output {
  readonly #stream: Writable;
  #started = false;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  /** Whether anything was written. */
  get started(): boolean {
    return this.#started;
  }

  /** Resolves when everything written before has left the process. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.#stream.write("", () => resolve()));
  }

  /**
   * Writes text or bytes. When it resolves, the bytes have left the process or its
   * memory may be used again; rejects with {@link BrokenPipe} where nobody reads.
   */
  write(data: string | Uint8Array): Promise<void> {
    if (data.length === 0) return Promise.resolve();
    this.#started = true;
    return new Promise((resolve, reject) => {
      this.#stream.write(data, (error) => {
        if (error === null || error === undefined) resolve();
        else reject((error as NodeJS.ErrnoException).code === "EPIPE" ? new BrokenPipe() : error);
      });
    });
  }
}
