import { setImmediate as nextTurn } from "node:timers/promises";

/** How long one stretch of work may keep the event loop, in milliseconds. */
const STRETCH_MS = 1;

/**
 * Cuts a long loop into stretches, so that other calls are served between them. Call
 * {@link yieldIfDue} often: it costs a clock reading unless it is time.
 */
export class Turns {
  #started = performance.now();

  /** Whether the stretch has lasted long enough. */
  get isDue(): boolean {
    return performance.now() - this.#started >= STRETCH_MS;
  }

  /** Lets the event loop turn if the stretch has lasted long enough. */
  async yieldIfDue(): Promise<void> {
    if (!this.isDue) return;
    await nextTurn();
    this.#started = performance.now();
  }
}
