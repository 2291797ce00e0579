import { setTimeout as sleep } from "node:timers/promises";

/** Time as the fleet's code sees it, so that a simulator can stand in for it. */
export interface Clock {
  /** Milliseconds since some beginning; never goes back. */
  now(): number;
  /** Resolves after so many milliseconds; rejects with the signal's reason where it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** At random from 0 up to, not including, 1: what waits are jittered by. */
  random(): number;
}

/** The machine's own monotonic clock. Its waits keep no process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  random: () => Math.random(),
  async sleep(ms, signal) {
    try {
      await sleep(ms, undefined, { signal, ref: false });
    } catch (error) {
      // Node wraps the reason in an AbortError of its own.
      throw signal?.aborted ? signal.reason : error;
    }
  },
};
