import type { Clock } from "../clock.js";
import type { Store } from "./store.js";
import { StoreError } from "./store-error.js";

/** How a {@link Compactor} is set up. */
export interface CompactorOptions {
  /** How long history is kept, in milliseconds. Default 15 minutes. */
  readonly keepMs?: number;
  readonly clock: Clock;
}

const KEEP_MS = 15 * 60 * 1000;

/** Gives up the history of a store that nobody else compacts, once it is old enough. */
export class Compactor {
  readonly #store: Pick<Store, "get" | "compact">;
  readonly #keepMs: number;
  readonly #clock: Clock;
  /** Revisions by when they were seen, the oldest first. */
  readonly #seen: { readonly revision: bigint; readonly at: number }[] = [];
  #compacted = 0n;

  constructor(
    store: Pick<Store, "get" | "compact">,
    { keepMs = KEEP_MS, clock }: CompactorOptions,
  ) {
    this.#store = store;
    this.#keepMs = keepMs;
    this.#clock = clock;
  }

  /** Looks once; call it every minute or so. Answers the revision that it compacted to, if it did. */
  async run(signal?: AbortSignal): Promise<bigint | undefined> {
    const now = this.#clock.now();
    const { revision } = await this.#store.get("compactor", { signal });
    this.#seen.push({ revision, at: now });
    let due: bigint | undefined;
    while ((this.#seen[0]?.at ?? now) <= now - this.#keepMs) due = this.#seen.shift()?.revision;
    if (due === undefined || due <= this.#compacted) return undefined;
    this.#compacted = due;
    try {
      await this.#store.compact(due, { signal });
      return due;
    } catch (error) {
      // Somebody else was faster.
      if (error instanceof StoreError && error.code === "COMPACTED") return undefined;
      throw error;
    }
  }

  /** Looks every minute until the signal is aborted. */
  async keepOn(signal: AbortSignal, onError: (error: Error) => void): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(60_000, signal).catch(() => {});
      if (signal.aborted) return;
      await this.run(signal).catch((error) => {
        if (!signal.aborted) onError(error as Error);
      });
    }
  }
}
