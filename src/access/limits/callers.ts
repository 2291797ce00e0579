import { CallerLimiter } from "./caller-limiter.js";

/** Past so many callers, those that have taken nothing are forgotten. */
const MAX_IDLE = 1024;

/** The limiters of all callers, by name: one for each, however many connections it has. */
export class Callers {
  readonly #limiters = new Map<string, CallerLimiter>();
  #sweepAt = MAX_IDLE;

  /** The limiter of a caller of this name. */
  of(name: string): CallerLimiter {
    let limiter = this.#limiters.get(name);
    if (!limiter) {
      if (this.#limiters.size >= this.#sweepAt) this.#sweep();
      limiter = new CallerLimiter(name);
      this.#limiters.set(name, limiter);
    }
    return limiter;
  }

  /** Callers that are remembered. */
  get size(): number {
    return this.#limiters.size;
  }

  #sweep(): void {
    for (const [name, limiter] of this.#limiters) {
      if (limiter.isIdle) this.#limiters.delete(name);
    }
    this.#sweepAt = Math.max(MAX_IDLE, 2 * this.#limiters.size);
  }
}
