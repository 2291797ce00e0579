import { type Turn, TurnQueue } from "./turn-queue.js";

/** How long calls may keep the event loop before it looks for others, in milliseconds. */
const SLICE_MS = 1;

/**
 * Serves calls in turns. One read of a connection can bring hundreds of them, which Node would
 * work down before it looks at another connection. Here those that come within a slice of time
 * are served at once, and the others wait in a queue that is fair to callers; after each slice
 * the event loop turns, and brings what came meanwhile.
 *
 * A call that nobody is before is served at once and pays for a look at the clock.
 */
export class CallTurns {
  readonly #queue = new TurnQueue();
  readonly #onTurn = () => this.#serve();
  readonly #onNext = () => this.#serveNext();
  readonly #onDone = () => process.nextTick(this.#onNext);
  #sliceEnd = 0;
  /** Of the slice that runs: when the event loop comes round. */
  #turn: NodeJS.Immediate | undefined;
  #isServing = false;

  /** Undefined where a call may go on at once; or else settles when its turn comes. */
  wait(caller: unknown, connection: unknown): Promise<void> | undefined {
    if (this.isFree()) return undefined;
    return new Promise((resolve) => this.enqueue(caller, connection, resolve));
  }

  /** Whether a call may go on at once: nobody is before it, and the slice lasts. */
  isFree(): boolean {
    if (this.#isServing || !this.#queue.isEmpty) return false;
    if (this.#turn) return performance.now() < this.#sliceEnd;
    this.#sliceEnd = performance.now() + SLICE_MS;
    // Does not keep the loop from sleeping: it comes after what the loop is at now anyway.
    this.#turn = setImmediate(this.#onTurn).unref();
    return true;
  }

  /** Has a call served in its turn. */
  enqueue(caller: unknown, connection: unknown, serve: Turn): void {
    this.#queue.add(caller, connection, serve);
    if (this.#turn) this.#turn.ref();
    else if (!this.#isServing) this.#turn = setImmediate(this.#onTurn);
  }

  /** The event loop has come round: the slice is over, and another begins where calls wait. */
  #serve(): void {
    this.#turn = undefined;
    if (this.#queue.isEmpty) return;
    this.#isServing = true;
    this.#sliceEnd = performance.now() + SLICE_MS;
    this.#serveNext();
  }

  #serveNext(): void {
    if (performance.now() >= this.#sliceEnd) {
      this.#isServing = false;
      this.#turn = setImmediate(this.#onTurn);
      return;
    }
    this.#queue.take()?.();
    // Node runs all ticks there are, then all microtasks, and so on: a tick out of a microtask
    // comes when the call has done what it can do at once.
    if (!this.#queue.isEmpty) queueMicrotask(this.#onDone);
    else this.#isServing = false;
  }
}
