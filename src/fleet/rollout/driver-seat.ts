import type { Clock } from "../clock.js";
import { isAbsent, put, type Store } from "../store/index.js";
import { rolloutKeys } from "./rollout-keys.js";

/** Seconds until another relay takes the place of one that is gone. */
const SEAT_SECONDS = 10;
/** How often those without it try, a little at random. */
const TRY_AGAIN_MS = 3_000;

/**
 * The one relay that drives rollouts: whoever has a key under a lease. It spares the others the
 * work; that two of them do it for a moment does no harm, since states are compared and swapped.
 */
export class DriverSeat {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #relayId: string;

  constructor(store: Store, clock: Clock, relayId: string) {
    this.#store = store;
    this.#clock = clock;
    this.#relayId = relayId;
  }

  /**
   * Waits for the seat, works while it has it, and waits again, until the signal is aborted.
   * @param work ends soon after its signal is aborted
   * @param onTrouble told what the store, or the work, has thrown; then it goes on
   */
  async whileSeated(
    work: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
    onTrouble: (error: Error) => void,
  ): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#tryOnce(work, signal);
      } catch (error) {
        if (!signal.aborted) onTrouble(error as Error);
      }
      const wait = TRY_AGAIN_MS * (0.75 + 0.5 * this.#clock.random());
      await this.#clock.sleep(wait, signal).catch(() => {});
    }
  }

  async #tryOnce(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) {
    const { entry } = await this.#store.get(rolloutKeys.driver(), { signal });
    if (entry !== undefined) return;
    const granted = await this.#store.grantLease(SEAT_SECONDS, { signal });
    const kept = this.#store.keepLease(granted);
    try {
      const value = new TextEncoder().encode(this.#relayId);
      const { succeeded } = await this.#store.transact(
        {
          compare: [isAbsent(rolloutKeys.driver())],
          success: [put(rolloutKeys.driver(), value, granted.id)],
        },
        { signal },
      );
      if (succeeded) await work(AbortSignal.any([signal, kept.lost]));
    } finally {
      kept.stop();
      // One that is not revoked runs out.
      await this.#store.revokeLease(granted.id, { deadlineMs: 2_000 }).catch(() => {});
    }
  }
}
