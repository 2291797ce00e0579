import type { Clock } from "../clock.js";

/** What is counted at most between two looks: who looks more seldom has not watched. */
const LONGEST_GAP_MS = 5_000;

/**
 * How long states have been watched as they are, by a clock that no other process shares: time
 * counts from when this process saw a state first, and only between looks that followed soon on
 * each other. So of several drivers none counts what another has, a clock that jumps or a process
 * that stood still adds next to nothing, and what is lost makes a rollout slower, never faster.
 */
export class WatchedTime {
  readonly #clock: Clock;
  readonly #bySet = new Map<string, { modRevision: bigint; countedMs: number; lookedAt: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A look at a state: whole milliseconds that it has been watched for. */
  look(set: string, modRevision: bigint): number {
    const now = this.#clock.now();
    const known = this.#bySet.get(set);
    if (known?.modRevision !== modRevision) {
      this.#bySet.set(set, { modRevision, countedMs: 0, lookedAt: now });
      return 0;
    }
    known.countedMs += Math.min(now - known.lookedAt, LONGEST_GAP_MS);
    known.lookedAt = now;
    return Math.floor(known.countedMs);
  }

  /** Nothing could be seen: the time since the last look does not count. */
  miss(set: string): void {
    const known = this.#bySet.get(set);
    if (known !== undefined) known.lookedAt = this.#clock.now();
  }

  forget(set: string): void {
    this.#bySet.delete(set);
  }
}
