import type { Logger } from "pino";
import { type Clock, systemClock } from "../clock.js";
import type { Store } from "../store/index.js";
import { bakeOf } from "./assess.js";
import { DriverSeat } from "./driver-seat.js";
import type { FleetView } from "./host-view.js";
import { hasEnded, type RolloutState } from "./rollout-state.js";
import { Rollouts, type RolloutsOptions, type StoredRollout } from "./rollouts.js";
import { stepRollout } from "./step.js";
import { watchRollouts } from "./watch-rollouts.js";
import { WatchedTime } from "./watched-time.js";

/** Tells what a rollout is decided by. */
export interface FleetObserver {
  /** What is known now. Throws where that is nothing: then the rollout waits. */
  observe(state: RolloutState, signal?: AbortSignal): Promise<FleetView>;
}

/** How a {@link RolloutDriver} is set up. */
export interface RolloutDriverOptions extends RolloutsOptions {
  readonly relayId: string;
  readonly log: Logger;
  /** How often rollouts are looked at, in milliseconds. Default 1000. */
  readonly tickMs?: number;
}

/** Times are written so often in a bake time or a wait, and so seldom at most. */
const CHECKPOINTS = 20;
const SHORTEST_CHECKPOINT_MS = 5_000;
/** Steps of a rollout that follow on each other, before others have their turn. */
const STEPS_AT_ONCE = 8;

/**
 * Moves rollouts on. All that it knows is in the store, times since the last checkpoint aside: any
 * relay may go on where another was killed, at any step.
 */
export class RolloutDriver {
  readonly #store: Store;
  readonly #observer: FleetObserver;
  readonly #rollouts: Rollouts;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #log: Logger;
  readonly #tickMs: number;
  readonly #seat: DriverSeat;
  readonly #watched: WatchedTime;
  /** Rollouts that have not ended, by their sets. */
  readonly #running = new Map<string, StoredRollout>();

  constructor(store: Store, observer: FleetObserver, options: RolloutDriverOptions) {
    this.#store = store;
    this.#observer = observer;
    this.#rollouts = new Rollouts(store, options);
    this.#clock = options.clock ?? systemClock;
    this.#now = options.now ?? Date.now;
    this.#log = options.log;
    this.#tickMs = options.tickMs ?? 1000;
    this.#seat = new DriverSeat(store, this.#clock, options.relayId);
    this.#watched = new WatchedTime(this.#clock);
  }

  /** Drives all rollouts whenever no other relay does, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void> {
    return this.#seat.whileSeated(
      (seated) => this.#driveAll(seated),
      signal,
      ({ message }) => this.#log.warn({ err: message }, "rollouts wait: trying again"),
    );
  }

  /**
   * Takes the next step of a rollout, if there is one. Answers the rollout as it is then, also
   * where others have written it meanwhile. Throws what observer and store throw.
   */
  async drive(stored: StoredRollout, signal?: AbortSignal): Promise<StoredRollout> {
    const { state, modRevision } = stored;
    let view: FleetView;
    try {
      view = await this.#observer.observe(state, signal);
    } catch (error) {
      this.#watched.miss(state.set);
      throw error;
    }
    const elapsedMs = this.#watched.look(state.set, modRevision);
    const stepped = stepRollout(state, { view, elapsedMs, at: this.#now() });
    if (stepped === undefined) return stored;
    if (!stepped.isUrgent && elapsedMs < checkpointMs(state)) return stored;
    const written = await this.#rollouts.write(stored, stepped.state, signal);
    if (written === undefined) return this.#rollouts.get(state.set, signal);
    this.#watched.look(state.set, written.modRevision);
    if (stepped.isUrgent) this.#tell(state, written.state);
    return written;
  }

  async #driveAll(signal: AbortSignal): Promise<void> {
    const stopped = new AbortController();
    const both = AbortSignal.any([signal, stopped.signal]);
    const followed = this.#follow(both).finally(() => stopped.abort());
    // Its failure is thrown below, when the loop has ended with it.
    followed.catch(() => {});
    while (!both.aborted) {
      for (const stored of this.#running.values()) {
        if (!both.aborted) await this.#driveOne(stored, both);
      }
      await this.#clock.sleep(this.#tickMs, both).catch(() => {});
    }
    await followed;
  }

  async #driveOne(stored: StoredRollout, signal: AbortSignal): Promise<void> {
    try {
      let now = stored;
      for (let steps = 0; steps < STEPS_AT_ONCE; steps++) {
        const before = now;
        now = await this.drive(before, signal);
        this.#keep(now);
        if (now.modRevision === before.modRevision || hasEnded(now.state)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      const { set, to } = stored.state;
      this.#log.warn({ set, generation: to, err: (error as Error).message }, "a rollout waits");
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    this.#running.clear();
    for await (const changes of watchRollouts(this.#store, { signal })) {
      for (const change of changes) {
        if (change.type === "put") this.#learn(change.rollout);
        else if (change.type === "deleted") this.#forget(change.set);
        else
          this.#log.error(
            { set: change.set, err: change.error.message },
            "a rollout is passed over",
          );
      }
    }
  }

  /** What the watch tells may be older than what was written here. */
  #learn(stored: StoredRollout): void {
    const known = this.#running.get(stored.state.set);
    if (known === undefined || known.modRevision < stored.modRevision) this.#keep(stored);
  }

  #keep(stored: StoredRollout): void {
    const { state } = stored;
    if (hasEnded(state)) this.#forget(state.set);
    else this.#running.set(state.set, stored);
  }

  #forget(set: string): void {
    this.#running.delete(set);
    this.#watched.forget(set);
  }

  #tell(before: RolloutState, { set, id, to, phase, wave, hold, failure }: RolloutState): void {
    const facts = { set, rollout: id, generation: to, phase, wave: wave + 1 };
    if (hold !== undefined || (phase === "rollingBack" && before.phase !== phase)) {
      this.#log.warn({ ...facts, failure: failure?.message }, "a gate of a rollout has failed");
    } else if (phase !== before.phase || wave !== before.wave) {
      this.#log.info(facts, "a rollout goes on");
    }
  }
}

function checkpointMs(state: RolloutState): number {
  const limit = state.phase === "baking" ? bakeOf(state) : state.plan.progressMs;
  return Math.max(SHORTEST_CHECKPOINT_MS, limit / CHECKPOINTS);
}
