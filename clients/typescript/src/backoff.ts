import { setTimeout as sleep } from "node:timers/promises";

const FIRST_MS = 100;
const LONGEST_MS = 10_000;

/** Growing pauses between attempts, each at random so that clients do not come all at once. */
export class Backoff {
  #longest = FIRST_MS;

  /** Waits: at random up to a bound that doubles each time. Rejects where the signal is aborted. */
  async pause(signal: AbortSignal): Promise<void> {
    const ms = Math.random() * this.#longest;
    this.#longest = Math.min(LONGEST_MS, this.#longest * 2);
    await sleep(ms, undefined, { signal });
  }

  /** Starts again with short pauses, after a success. */
  reset(): void {
    this.#longest = FIRST_MS;
  }
}
