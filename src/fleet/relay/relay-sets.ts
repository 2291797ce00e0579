import type { FollowMapSetsRequest, FollowMapSetsResponse } from "@bpfmapd/client/proto";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import type { HostDirectory } from "../members/host-directory.js";
import { Collector, MapSets } from "../sets/index.js";
import type { Store } from "../store/index.js";
import { followSets } from "./follow-sets.js";
import type { HostPeer } from "./host-peer.js";
import { RelayRollouts } from "./relay-rollouts.js";
import type { RelaySession } from "./relay-session.js";
import { RolloutCatalogue } from "./rollout-catalogue.js";
import type { AggregateHosts } from "./rollout-meter.js";
import { SetCatalogue } from "./set-catalogue.js";
import { SetStatuses } from "./set-statuses.js";
import { SetTargets } from "./set-targets.js";
import { type SetStatusEvent, watchSetStatus } from "./watch-set-status.js";

/** How often what is left over is collected, in milliseconds. */
const COLLECT_MS = 60_000;

/** What the sets of a relay are made with. */
export interface RelaySetsOptions {
  readonly store: Store;
  readonly relayId: string;
  readonly directory: HostDirectory;
  readonly aggregate: AggregateHosts;
  readonly sessionOf: (hostId: string) => RelaySession | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A relay's part in map sets: between the store and hosts. */
export class RelaySets {
  readonly sets: MapSets;
  readonly catalogue: SetCatalogue;
  readonly statuses: SetStatuses;
  readonly rollouts: RelayRollouts;
  readonly #targets: SetTargets;
  readonly #known: RolloutCatalogue;
  readonly #options: RelaySetsOptions;
  readonly #stopped = new AbortController();

  constructor(options: RelaySetsOptions) {
    const { store, clock, log } = options;
    this.#options = options;
    this.sets = new MapSets(store, { clock });
    this.catalogue = new SetCatalogue(store, clock, log);
    this.statuses = new SetStatuses(store, clock, log);
    this.#known = new RolloutCatalogue(store, clock, log);
    const { sets, catalogue, statuses } = this;
    const stopped = this.#stopped.signal;
    this.#targets = new SetTargets({ sets, catalogue, clock, stopped, rollouts: this.#known });
    this.rollouts = new RelayRollouts({ ...options, catalogue, statuses });
  }

  start(): void {
    this.catalogue.start();
    this.#known.start();
    this.rollouts.start();
    void this.#collect();
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    this.catalogue.close();
    this.#known.close();
    this.statuses.close();
    await this.rollouts.close();
  }

  /** See {@link followSets}. */
  follow(
    requests: AsyncIterable<FollowMapSetsRequest>,
    peer: HostPeer,
    signal: AbortSignal,
  ): AsyncIterable<FollowMapSetsResponse> {
    const { sets, catalogue, statuses } = this;
    const { sessionOf } = this.#options;
    const parts = { sets, catalogue, statuses, sessionOf, targets: this.#targets };
    return followSets(parts, requests, peer, signal);
  }

  /** See {@link watchSetStatus}. */
  watchStatus(name: string, signal: AbortSignal): AsyncGenerator<SetStatusEvent, void> {
    const { sets, catalogue, statuses } = this;
    const { directory, clock } = this.#options;
    return watchSetStatus({ sets, catalogue, statuses, directory, clock }, name, signal);
  }

  async #collect(): Promise<void> {
    const { store, clock, log, directory } = this.#options;
    const { signal } = this.#stopped;
    const collector = new Collector(store, { clock });
    const isKnown = (set: string, host: string) =>
      this.catalogue.get(set) !== undefined && directory.host(host) !== undefined;
    while (!signal.aborted) {
      // Relays do not come at once.
      await clock.sleep(COLLECT_MS * (0.5 + clock.random()), signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await Promise.all([this.catalogue.ready(), directory.ready()]);
        const removed = await collector.run(signal);
        await this.statuses.tidy(isKnown, signal);
        if (removed > 0) log.debug({ removed }, "segments of map sets were collected");
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: (error as Error).message }, "what map sets have left over stays");
      }
    }
  }
}
