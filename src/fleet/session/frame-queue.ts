/** Frames that wait before a sender is asked to wait, too. */
const ROOM = 16;

const DONE: IteratorResult<never, undefined> = { done: true, value: undefined };

/**
 * Frames on their way from who sends to the one who reads them. Who sends data waits for what
 * `send` answers; a frame that must not wait, such as a cancellation, is sent without.
 */
export class FrameQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #frames: T[] = [];
  #reader:
    | { resolve(result: IteratorResult<T, undefined>): void; reject(error: unknown): void }
    | undefined;
  #senders: (() => void)[] = [];
  #end: { readonly error: unknown } | undefined;

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Frames that nobody has read yet. */
  get waiting(): number {
    return this.#frames.length;
  }

  /** Adds a frame; of one that is added after the end nothing is heard. Settles when there is room for another. */
  send(frame: T): Promise<void> {
    if (this.#end) return Promise.resolve();
    if (this.#reader) {
      this.#reader.resolve({ done: false, value: frame });
      this.#reader = undefined;
      return Promise.resolve();
    }
    this.#frames.push(frame);
    if (this.#frames.length < ROOM) return Promise.resolve();
    return new Promise((resolve) => this.#senders.push(resolve));
  }

  /** No further frame comes: what waits is read, then the end, or the error. */
  end(error?: unknown): void {
    if (this.#end) return;
    this.#end = { error };
    this.#wakeSenders();
    if (!this.#reader) return;
    if (error === undefined) this.#reader.resolve(DONE);
    else this.#reader.reject(error);
    this.#reader = undefined;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const frame = this.#frames.shift();
    if (frame !== undefined) {
      if (this.#frames.length < ROOM) this.#wakeSenders();
      return Promise.resolve({ done: false, value: frame });
    }
    if (this.#end) {
      const { error } = this.#end;
      this.#end = { error: undefined };
      return error === undefined ? Promise.resolve(DONE) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** The reader has gone. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#frames.length = 0;
    this.end();
    return Promise.resolve(DONE);
  }

  #wakeSenders(): void {
    for (const wake of this.#senders.splice(0)) wake();
  }
}
