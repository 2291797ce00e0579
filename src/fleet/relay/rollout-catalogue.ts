import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import {
  type RolloutChange,
  rolloutTargets,
  type StoredRollout,
  type Targets,
  watchRollouts,
} from "../rollout/index.js";
import type { Store } from "../store/index.js";

const RETRY_MS = 500;

/** A set's rollout, and what it says of hosts. */
export interface KnownRollout extends StoredRollout {
  readonly targetOf: Targets;
}

/** The last rollouts of all sets, as the store has them: a copy that follows it. */
export class RolloutCatalogue {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #rollouts = new Map<string, KnownRollout>();
  readonly #listeners = new Set<(set: string) => void>();
  readonly #stopped = new AbortController();

  constructor(store: Store, clock: Clock, log: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Begins to follow the store. */
  start(): void {
    void this.#follow();
  }

  close(): void {
    this.#stopped.abort();
  }

  /** The last rollout of a set, as far as it is known yet. */
  get(set: string): KnownRollout | undefined {
    return this.#rollouts.get(set);
  }

  /** Calls back for each set whose rollout changes; answers how to end that. */
  onChange(listener: (set: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        let isFirst = true;
        for await (const changes of watchRollouts(this.#store, { signal })) {
          if (isFirst) this.#forgetAllBut(changes);
          isFirst = false;
          for (const change of changes) this.#apply(change);
        }
      } catch (error) {
        if (signal.aborted) return;
        const err = (error as Error).message;
        this.#log.warn({ err }, "rollouts cannot be read from the store: trying again");
      }
      await this.#clock.sleep(RETRY_MS, signal).catch(() => {});
    }
  }

  /** The first batch is all there is. */
  #forgetAllBut(changes: readonly RolloutChange[]): void {
    const there = new Set(changes.map(({ set }) => set));
    for (const set of [...this.#rollouts.keys()]) {
      if (!there.has(set)) this.#apply({ type: "deleted", set });
    }
  }

  #apply(change: RolloutChange): void {
    const { set } = change;
    if (change.type === "unreadable") {
      this.#log.error({ set, err: change.error.message }, "a rollout cannot be read");
      return;
    }
    if (change.type === "deleted") this.#rollouts.delete(set);
    else {
      const { rollout } = change;
      this.#rollouts.set(set, { ...rollout, targetOf: rolloutTargets(rollout.state) });
    }
    for (const listener of this.#listeners) listener(set);
  }
}
