import type { Clock } from "../clock.js";
import { StoreError } from "./store-error.js";

/** A lease that is refreshed in time until `stop`. */
export interface KeptLease {
  readonly id: bigint;
  /**
   * Aborted with a StoreError when the lease is gone (LEASE_NOT_FOUND), or must be taken as gone,
   * since it could not be refreshed within its time. Never after `stop`.
   */
  readonly lost: AbortSignal;
  /** Refreshes no more; the lease runs out by itself or is revoked. */
  stop(): void;
}

/** Refreshes a lease once; answers its time to live from now on, in seconds. */
export type Refresh = (id: bigint, signal: AbortSignal, deadlineMs: number) => Promise<number>;

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;

/** Refreshes a lease after a third of its time, a little at random so that many do not come at once. */
export class LeaseKeeper implements KeptLease {
  readonly id: bigint;
  readonly #lost = new AbortController();
  readonly #stopped = new AbortController();
  readonly #clock: Clock;
  readonly #refresh: Refresh;
  #seconds: number;
  /** When the lease must be taken as gone: counted from before the last refresh that was answered. */
  #expiresAt: number;

  constructor(lease: { id: bigint; seconds: number }, refresh: Refresh, clock: Clock) {
    this.id = lease.id;
    this.#seconds = lease.seconds;
    this.#refresh = refresh;
    this.#clock = clock;
    this.#expiresAt = clock.now() + lease.seconds * 1000;
    void this.#keep().catch((error) => {
      if (!this.#stopped.signal.aborted) this.#lost.abort(error);
    });
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #keep(): Promise<never> {
    let retryMs = 0;
    let failure: unknown;
    for (;;) {
      const third = (this.#seconds * 1000) / 3;
      const pause = retryMs > 0 ? retryMs : third * (0.8 + 0.2 * this.#clock.random());
      const left = this.#expiresAt - this.#clock.now();
      await this.#clock.sleep(Math.max(0, Math.min(pause, left)), this.#stopped.signal);
      const begun = this.#clock.now();
      if (begun >= this.#expiresAt) throw this.#ranOut(failure);
      try {
        this.#seconds = await this.#refresh(this.id, this.#stopped.signal, this.#expiresAt - begun);
        this.#expiresAt = begun + this.#seconds * 1000;
        retryMs = 0;
      } catch (error) {
        if (isFinal(error)) throw error;
        failure = error;
        const longest = Math.min(LONGEST_RETRY_MS, Math.max(FIRST_RETRY_MS, retryMs * 2));
        retryMs = longest * (0.5 + 0.5 * this.#clock.random());
      }
    }
  }

  #ranOut(cause: unknown): StoreError {
    return new StoreError(
      "UNAVAILABLE",
      `lease ${this.id.toString(16)} could not be refreshed within its ${this.#seconds} s: take it as gone`,
      { cause },
    );
  }
}

function isFinal(error: unknown): boolean {
  if (!(error instanceof StoreError)) return true;
  return error.code === "LEASE_NOT_FOUND" || error.code === "CLOSED";
}
