import type { ClientReadableStream } from "@grpc/grpc-js";
import { cancelOnAbort, throwIfAborted } from "./call-options.js";
import { BpfmapError } from "./errors.js";

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: BpfmapError): void;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * The answers of a server stream, to be iterated once.
 *
 * The call is made by the first `next()`. Leaving the loop early (break, return or
 * an exception) cancels it, even while a `next()` waits. Messages are read from the
 * connection only as they are asked for, but for the few (16) that grpc-js reads
 * ahead; so a slow reader slows the daemon down. Any failure is a BpfmapError,
 * thrown after the messages that came before it.
 */
export class ResponseStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #open: () => ClientReadableStream<T>;
  readonly #errorOf: (error: unknown) => BpfmapError;
  readonly #signal: AbortSignal | undefined;
  readonly #waiters: Waiter<T>[] = [];
  #call: ClientReadableStream<T> | undefined;
  #ignoreSignal = () => {};
  /** Set once grpc-js has told how the call ended; buffered messages may remain. */
  #outcome: BpfmapError | "ok" | undefined;
  #done = false;

  /** `open` makes the call; `errorOf` turns what grpc-js reports into the error to throw. */
  constructor(
    open: () => ClientReadableStream<T>,
    errorOf: (error: unknown) => BpfmapError,
    signal: AbortSignal | undefined,
  ) {
    this.#open = open;
    this.#errorOf = errorOf;
    this.#signal = signal;
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next message; the first call of it makes the RPC. Fails with BpfmapError. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#done) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      if (this.#call === undefined) this.#start();
      else this.#serve();
    });
  }

  /** Cancels the call, unless it is over. Waiting `next()` calls answer that it is done. */
  return(): Promise<IteratorResult<T, undefined>> {
    if (!this.#done) this.#call?.cancel();
    this.#finish();
    return Promise.resolve(DONE);
  }

  /** Cancels the call and throws the error back. */
  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw error;
  }

  #start(): void {
    try {
      throwIfAborted(this.#signal);
      this.#call = this.#open();
    } catch (error) {
      this.#outcome = this.#errorOf(error);
      this.#settle();
      return;
    }
    const call = this.#call;
    this.#ignoreSignal = cancelOnAbort(this.#signal, call);
    // This listener stays to the end: an 'error' that nobody listens to, such as
    // the CANCELLED after a return(), would end the process.
    call.on("error", (error) => {
      this.#outcome = this.#errorOf(error);
      this.#serve();
    });
    call.on("end", () => {
      // A failed call ends with 'error' first: grpc-js emits it as it marks the end.
      this.#outcome ??= "ok";
      this.#serve();
    });
    call.on("readable", () => this.#serve());
  }

  /** Hands messages to those who wait for them. */
  #serve(): void {
    // What was read ahead is of no use to somebody who has cancelled.
    const cancelled = this.#outcome instanceof BpfmapError && this.#signal?.aborted;
    while (this.#waiters.length > 0 && !cancelled) {
      const message = this.#call?.read() as T | null | undefined;
      if (message === null || message === undefined) break;
      this.#waiters.shift()!.resolve({ done: false, value: message });
    }
    if (this.#waiters.length > 0 && this.#outcome !== undefined) this.#settle();
  }

  #settle(): void {
    const first = this.#waiters.shift();
    if (this.#outcome instanceof BpfmapError) first?.reject(this.#outcome);
    else first?.resolve(DONE);
    this.#finish();
  }

  #finish(): void {
    this.#done = true;
    this.#ignoreSignal();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(DONE);
  }
}
