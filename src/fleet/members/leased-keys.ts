import { setMaxListeners } from "node:events";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import {
  isAbsent,
  isAt,
  type KeptLease,
  put,
  remove,
  type Store,
  StoreError,
  type Transaction,
} from "../store/index.js";

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2000;

/** A key that is held in the store as long as this process lives. */
export interface LeasedKey {
  readonly key: string;
  /** The revision of its last write here. */
  readonly revision: bigint;
  /** Removes it, unless another has written it since. It goes on by itself. */
  release(): void;
}

interface Held extends LeasedKey {
  readonly value: Uint8Array;
  readonly onTaken: () => void;
  revision: bigint;
  isReleased: boolean;
}

/**
 * Keys that live in the store under one lease, which is kept. Where the lease is lost, as when
 * the store was away for long, they are written anew; one that another process has written
 * meanwhile is left to it.
 */
export class LeasedKeys {
  readonly #store: Store;
  readonly #seconds: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #held = new Set<Held>();
  readonly #stopped = new AbortController();
  #lease: Promise<KeptLease> | undefined;

  constructor(store: Store, seconds: number, clock: Clock, log: Logger) {
    this.#store = store;
    this.#seconds = seconds;
    this.#clock = clock;
    this.#log = log;
    // Every key that waits for the store listens.
    setMaxListeners(0, this.#stopped.signal);
  }

  /**
   * Writes a key over whatever there is; settles when it is in the store, however long that
   * takes. Rejects where the signal is aborted, or with a StoreError that another try won't cure.
   *
   * @param onTaken called where the key was another's when it was to be written anew
   */
  async hold(
    key: string,
    value: Uint8Array,
    signal: AbortSignal,
    onTaken: () => void = () => {},
  ): Promise<LeasedKey> {
    const held: Held = {
      ...{ key, value, onTaken, revision: 0n, isReleased: false },
      release: () => this.#release(held),
    };
    const both = AbortSignal.any([signal, this.#stopped.signal]);
    await this.#persist(both, async () => {
      const { id } = await this.#keptLease();
      const { revision } = await this.#store.transact(
        { success: [put(key, value, id)] },
        { signal: both },
      );
      held.revision = revision;
    });
    this.#held.add(held);
    return held;
  }

  /** Gives all keys up: they go with the lease. */
  async close(): Promise<void> {
    this.#stopped.abort(new StoreError("CLOSED", "the keys were given up"));
    this.#held.clear();
    const lease = await this.#lease?.catch(() => undefined);
    lease?.stop();
    if (lease) await this.#store.revokeLease(lease.id, { deadlineMs: 2000 }).catch(() => {});
  }

  #keptLease(): Promise<KeptLease> {
    this.#lease ??= this.#grant();
    return this.#lease;
  }

  async #grant(): Promise<KeptLease> {
    try {
      const lease = this.#store.keepLease(await this.#store.grantLease(this.#seconds));
      lease.lost.addEventListener("abort", () => this.#lost(lease.lost.reason), { once: true });
      return lease;
    } catch (error) {
      this.#lease = undefined;
      throw error;
    }
  }

  #lost(why: Error): void {
    this.#lease = undefined;
    if (this.#stopped.signal.aborted) return;
    this.#log.warn(
      { err: why.message },
      "the lease in the store is lost: writing anew what was under it",
    );
    for (const held of this.#held) void this.#restore(held).catch(() => {});
  }

  async #restore(held: Held): Promise<void> {
    const { key, value } = held;
    await this.#persist(this.#stopped.signal, async () => {
      if (held.isReleased) return;
      const { id } = await this.#keptLease();
      const before = held.revision;
      const answer = await this.#tryEach([
        { compare: [isAbsent(key)], success: [put(key, value, id)] },
        { compare: [isAt(key, before)], success: [put(key, value, id)] },
      ]);
      if (answer !== undefined) held.revision = answer;
      else {
        this.#held.delete(held);
        held.onTaken();
      }
    });
  }

  async #tryEach(transactions: readonly Transaction[]): Promise<bigint | undefined> {
    for (const transaction of transactions) {
      const { succeeded, revision } = await this.#store.transact(transaction);
      if (succeeded) return revision;
    }
    return undefined;
  }

  #release(held: Held): void {
    if (held.isReleased) return;
    held.isReleased = true;
    this.#held.delete(held);
    const { key } = held;
    const drop = async () => {
      await this.#store.transact({
        compare: [isAt(key, held.revision)],
        success: [remove(key)],
      });
    };
    void this.#persist(this.#stopped.signal, drop).catch(() => {});
  }

  /** Tries until it is done: what the store cannot do for now, it can later. */
  async #persist(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(LONGEST_RETRY_MS, waitMs * 2)) {
      signal.throwIfAborted();
      try {
        await work();
        return;
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (isLeaseGone(error)) this.#lease = undefined;
        this.#log.warn(
          { err: (error as Error).message },
          "the store does not take a key: trying again",
        );
        await this.#clock.sleep(waitMs * (0.5 + 0.5 * this.#clock.random()), signal);
      }
    }
  }
}

function isLeaseGone(error: unknown): boolean {
  return error instanceof StoreError && error.code === "LEASE_NOT_FOUND";
}

const PASSING = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "LEASE_NOT_FOUND", "NO_SPACE"]);

/** Whether another try, a little later, may go. */
export function isPassing(error: unknown): boolean {
  return error instanceof StoreError && PASSING.has(error.code);
}
