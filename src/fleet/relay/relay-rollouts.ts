import { Liveness } from "@bpfmapd/client/proto";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import type { HostDirectory } from "../members/host-directory.js";
import {
  type Assessment,
  assess,
  type ControlRequest,
  type FleetObserver,
  type FleetView,
  hasEnded,
  placedHosts,
  RolloutDriver,
  type RolloutState,
  Rollouts,
} from "../rollout/index.js";
import type { Manifest } from "../sets/index.js";
import { setMatcher, writerOf } from "../sets-contract.js";
import type { Store } from "../store/index.js";
import { RolloutHosts } from "./rollout-hosts.js";
import { type AggregateHosts, measureCounters } from "./rollout-meter.js";
import type { SetCatalogue } from "./set-catalogue.js";
import type { SetStatuses } from "./set-statuses.js";

/** How long statuses of a set are followed that nobody asks for. */
const IDLE_MS = 30_000;
/** How old numbers of counters may be. */
const COUNTED_MS = 5_000;
/** How often one who watches is told how hosts are doing. */
const WATCH_MS = 500;
const STATUSES_READ_MS = 5_000;

/** What the rollouts of a relay are made with. */
export interface RelayRolloutsOptions {
  readonly relayId: string;
  readonly store: Store;
  readonly directory: HostDirectory;
  readonly catalogue: SetCatalogue;
  readonly statuses: SetStatuses;
  readonly aggregate: AggregateHosts;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A rollout, and how it is doing; the latter absent where that is not known for now. */
export interface RolloutNow {
  readonly state: RolloutState;
  readonly assessment: Assessment | undefined;
}

interface Followed {
  readonly hosts: RolloutHosts;
  askedAt: number;
  counted?: { readonly key: string; readonly at: number; readonly counters: FleetView["counters"] };
}

/** A relay's part in rollouts: it sees how hosts are doing, and drives where no other does. */
export class RelayRollouts implements FleetObserver {
  readonly #options: RelayRolloutsOptions;
  readonly #store: Rollouts;
  readonly #driver: RolloutDriver;
  readonly #followed = new Map<string, Followed>();
  readonly #stopped = new AbortController();
  #driving: Promise<void> | undefined;

  constructor(options: RelayRolloutsOptions) {
    const { store, clock, log, relayId } = options;
    this.#options = options;
    this.#store = new Rollouts(store, { clock });
    this.#driver = new RolloutDriver(store, this, { relayId, clock, log });
  }

  start(): void {
    this.#driving = this.#driver.run(this.#stopped.signal);
  }

  /** Gives the seat up to another relay. */
  async close(): Promise<void> {
    this.#stopped.abort(new Error("the relay is stopping"));
    for (const { hosts } of this.#followed.values()) hosts.close();
    await this.#driving;
  }

  /** See {@link Rollouts.control}. */
  async control(set: string, request: ControlRequest, signal: AbortSignal): Promise<RolloutNow> {
    const { state } = await this.#store.control(set, request, signal);
    return this.#now(state, signal);
  }

  /**
   * A set's last rollout, now and whenever it or its hosts have changed, until it has ended.
   * NOT_FOUND.
   */
  async *watch(set: string, signal: AbortSignal): AsyncGenerator<RolloutNow, void> {
    const { clock } = this.#options;
    for (;;) {
      const { state } = await this.#store.get(set, signal);
      yield await this.#now(state, signal);
      if (hasEnded(state)) return;
      await clock.sleep(WATCH_MS, signal);
    }
  }

  /** What is known of a rollout's hosts. Throws where that is nothing yet. */
  async observe(
    state: RolloutState,
    signal: AbortSignal = this.#stopped.signal,
  ): Promise<FleetView> {
    const { directory, catalogue } = this.#options;
    const { set, setId, to } = state;
    const manifest = catalogue.get(set);
    if (manifest?.id !== setId || manifest.generation !== to) {
      throw new Error(`map set "${set}" is not known at generation ${to} yet`);
    }
    await directory.ready();
    const followed = this.#follow(set);
    if (!followed.hosts.isRead) throw new Error(`statuses of map set "${set}" are not read yet`);
    const isChosen = setMatcher(manifest);
    const hosts = [];
    for (const id of directory.ids) {
      const host = directory.host(id);
      if (host === undefined || !isChosen(host)) continue;
      hosts.push(followed.hosts.view(id, host.liveness === Liveness.CONNECTED, setId));
    }
    const counters = await this.#count(state, manifest, hosts, followed, signal);
    return { hosts, counters };
  }

  async #now(state: RolloutState, signal: AbortSignal): Promise<RolloutNow> {
    const { clock } = this.#options;
    const until = clock.now() + STATUSES_READ_MS;
    for (;;) {
      try {
        return { state, assessment: assess(state, await this.observe(state, signal)) };
      } catch (error) {
        if (signal.aborted) throw error;
        // It is told without its hosts rather than not at all.
        if (clock.now() >= until) return { state, assessment: undefined };
      }
      await clock.sleep(WATCH_MS / 10, signal);
    }
  }

  #follow(set: string): Followed {
    const { statuses, clock } = this.#options;
    const now = clock.now();
    for (const [other, { hosts, askedAt }] of this.#followed) {
      if (other === set || now - askedAt < IDLE_MS) continue;
      hosts.close();
      this.#followed.delete(other);
    }
    let followed = this.#followed.get(set);
    if (followed === undefined) {
      followed = { hosts: new RolloutHosts(set, statuses, clock), askedAt: now };
      this.#followed.set(set, followed);
    }
    followed.askedAt = now;
    return followed;
  }

  /** Numbers of the counter gates over the hosts that are done, asked for now and then. */
  async #count(
    state: RolloutState,
    manifest: Manifest,
    hosts: FleetView["hosts"],
    followed: Followed,
    signal: AbortSignal,
  ): Promise<FleetView["counters"]> {
    const { clock, aggregate, log } = this.#options;
    const { counters: gates } = state.plan;
    if (gates.length === 0 || hasEnded(state) || state.hold !== undefined) return NO_COUNTERS;
    const done = placedHosts(state, { hosts, counters: NO_COUNTERS })
      .filter(({ standing }) => standing === "done")
      .map(({ host }) => host.id);
    const key = `${state.id} ${state.phase} ${done.join(" ")}`;
    const { counted } = followed;
    if (counted?.key === key && clock.now() - counted.at < COUNTED_MS) return counted.counters;
    const measured = {
      hostIds: done,
      origin: writerOf(manifest),
      requestId: `rollout:${state.set}/${state.to}`,
    };
    const counters = await measureCounters(gates, measured, aggregate, signal).catch((error) => {
      if (signal.aborted) throw error;
      const err = (error as Error).message;
      log.warn({ set: state.set, err }, "counters of a rollout cannot be read");
      return NO_COUNTERS;
    });
    followed.counted = { key, at: clock.now(), counters };
    return counters;
  }
}

const NO_COUNTERS: FleetView["counters"] = new Map();
