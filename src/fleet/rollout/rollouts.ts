import { type Clock, systemClock } from "../clock.js";
import { isAt, put, type Store, StoreError, scan } from "../store/index.js";
import { type Control, controlled } from "./control.js";
import { RolloutError } from "./rollout-error.js";
import { rolloutKeys } from "./rollout-keys.js";
import { decodeRollout, encodeRollout, type RolloutState } from "./rollout-state.js";

/** A rollout, and the revision of its last write. */
export interface StoredRollout {
  readonly state: RolloutState;
  readonly modRevision: bigint;
}

/** How {@link Rollouts} is set up. */
export interface RolloutsOptions {
  /** For waits between tries; default the system's. */
  readonly clock?: Clock;
  /** Milliseconds since 1970, for people; default the system's. */
  readonly now?: () => number;
}

/** What is asked of a rollout, and by whom. */
export interface ControlRequest {
  readonly control: Control;
  /** The rollout that the caller means; without it, the set's last one. */
  readonly rolloutId?: string | undefined;
  readonly by: string;
  /** Why, for people. */
  readonly message?: string | undefined;
}

const TRIES = 32;
/** Waits between tries grow up to this, at random. */
const LONGEST_WAIT_MS = 200;

/**
 * Rollouts in the store: one key for each set, changed by compare-and-swap, so that any number of
 * processes may read, control and drive them at once. Throws RolloutErrors, and what the store
 * throws.
 */
export class Rollouts {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #now: () => number;

  constructor(store: Store, options: RolloutsOptions = {}) {
    this.#store = store;
    this.#clock = options.clock ?? systemClock;
    this.#now = options.now ?? Date.now;
  }

  /** The last rollout of a set. NOT_FOUND, DAMAGED. */
  async get(set: string, signal?: AbortSignal): Promise<StoredRollout> {
    const { entry } = await this.#store.get(rolloutKeys.state(set), { signal });
    if (entry === undefined) throw noRollout(set);
    return { state: decodeRollout(entry.value), modRevision: entry.modRevision };
  }

  /** The last rollouts of all sets, by name; those that cannot be read are left out. */
  async list(signal?: AbortSignal): Promise<StoredRollout[]> {
    const found: StoredRollout[] = [];
    for await (const { entries } of scan(this.#store, { range: rolloutKeys.states() }, signal)) {
      for (const { value, modRevision } of entries) {
        const state = readable(value);
        if (state !== undefined) found.push({ state, modRevision });
      }
    }
    return found;
  }

  /**
   * Does what is asked; when it has answered, it is in force, whatever happens to this process.
   * May be repeated: what is so already stays so. NOT_FOUND, NOT_POSSIBLE, CONTENDED.
   */
  async control(
    set: string,
    { control, rolloutId, by, message = "" }: ControlRequest,
    signal?: AbortSignal,
  ): Promise<StoredRollout> {
    for (let tries = 0; tries < TRIES; tries++) {
      const before = await this.get(set, signal);
      if (rolloutId !== undefined && rolloutId !== before.state.id) throw noRollout(set, rolloutId);
      const next = controlled(before.state, control, { by, message, at: this.#now() });
      if (next === before.state) return before;
      const after = await this.write(before, next, signal);
      if (after !== undefined) return after;
      const longest = Math.min(LONGEST_WAIT_MS, 2 ** tries);
      await this.#clock.sleep(this.#clock.random() * longest, signal);
    }
    throw new RolloutError("CONTENDED", `others write to the rollout of "${set}" all the time`);
  }

  /**
   * Puts a state in the place of the one that was read, if nobody else has written; undefined
   * where somebody has. Where the store was cut off in the middle, that may have been this write:
   * the caller has to read anew, and finds what it wanted, or decides again.
   */
  async write(
    before: StoredRollout,
    state: RolloutState,
    signal?: AbortSignal,
  ): Promise<StoredRollout | undefined> {
    const key = rolloutKeys.state(state.set);
    const compare = [isAt(key, before.modRevision)];
    const success = [put(key, encodeRollout(state))];
    for (let tries = 1; ; tries++) {
      try {
        const { succeeded, revision } = await this.#store.transact(
          { compare, success },
          { signal },
        );
        return succeeded ? { state, modRevision: revision } : undefined;
      } catch (error) {
        const mayGoOn =
          error instanceof StoreError && error.maybeApplied && error.code !== "CANCELLED";
        if (!mayGoOn || tries === TRIES) throw error;
        await this.#clock.sleep(this.#clock.random() * LONGEST_WAIT_MS, signal);
      }
    }
  }
}

function readable(value: Uint8Array): RolloutState | undefined {
  try {
    return decodeRollout(value);
  } catch {
    return undefined;
  }
}

function noRollout(set: string, id?: string): RolloutError {
  const which = id === undefined ? "no rollout" : `no rollout ${id}, or not any more`;
  return new RolloutError("NOT_FOUND", `map set "${set}" has ${which}`);
}
