import type { FleetHost, HostSelector } from "@bpfmapd/client/proto";
import type { Logger } from "pino";
import { type Clock, systemClock } from "../clock.js";
import { type FleetWatch, type FleetWatchEvent, watchFleet } from "../fleet-watch/watch-fleet.js";
import { HostDirectory } from "../members/host-directory.js";
import { LeasedKeys } from "../members/leased-keys.js";
import { RELAYS, writeRecord } from "../members/member-keys.js";
import { hostMatcher } from "../selector.js";
import type { Store } from "../store/index.js";
import { type AggregateCall, type AggregateRound, aggregateHosts } from "./aggregate-hosts.js";
import { type FanOut, type FanOutEvent, type FanOutParts, fanOut } from "./fan-out.js";
import { HostRouter, type OtherRelays } from "./host-router.js";
import { HostSessions } from "./host-sessions.js";
import { RelaySets } from "./relay-sets.js";
import { type HostEvent, watchHosts } from "./watch-hosts.js";

/** How a relay works. */
export interface RelayOptions {
  /** Its id in the fleet: no two relays have the same. */
  readonly id: string;
  readonly store: Store;
  /** "host:port" where the other relays reach it; absent where there are none. */
  readonly advertise?: string | undefined;
  readonly heartbeatMs: number;
  /** Seconds after which a relay that is gone is taken for gone, and with it its sessions. */
  readonly leaseSeconds: number;
  readonly forgetSeconds: number;
  readonly maxMessageBytes: number;
  readonly log: Logger;
  readonly clock?: Clock;
  /** How other relays are reached; absent where there are none. */
  readonly others?: OtherRelays | undefined;
}

/** How long hosts may take to be with another relay, in milliseconds. */
const MOVE_MS = 5000;

/** A page of hosts. */
export interface HostPage {
  readonly hosts: readonly FleetHost[];
  /** Id of the last one, where there are more. */
  readonly nextAfter: string | undefined;
}

/** A relay: between the controllers of a fleet and its hosts. All that lasts is in the store. */
export class Relay {
  readonly id: string;
  readonly directory: HostDirectory;
  readonly sessions: HostSessions;
  readonly hosts: HostRouter;
  readonly sets: RelaySets;
  readonly #keys: LeasedKeys;
  readonly #options: RelayOptions;
  readonly #clock: Clock;
  readonly #stopped = new AbortController();

  constructor(options: RelayOptions) {
    const { id, store, clock = systemClock, log, leaseSeconds } = options;
    this.id = id;
    this.#options = options;
    this.#clock = clock;
    this.directory = new HostDirectory(store, clock, log);
    this.#keys = new LeasedKeys(store, leaseSeconds, clock, log);
    const { heartbeatMs, forgetSeconds, maxMessageBytes } = options;
    this.sessions = new HostSessions({
      ...{ relayId: id, store, clock, log, heartbeatMs, forgetSeconds, maxMessageBytes },
      ...{ keys: this.#keys, directory: this.directory },
    });
    this.hosts = new HostRouter({
      ...{ relayId: id, sessions: this.sessions, directory: this.directory },
      ...{ others: options.others, clock },
    });
    this.sets = new RelaySets({
      ...{ relayId: id, store, clock, log, directory: this.directory },
      aggregate: (call, signal) => this.aggregate(call, signal),
      sessionOf: (hostId) => this.sessions.get(hostId),
    });
  }

  /** Bytes of a call's message. */
  get maxMessageBytes(): number {
    return this.#options.maxMessageBytes;
  }

  /** Follows the store, and tells the other relays that this one is there. */
  start(): void {
    const { id, advertise: address = "", log } = this.#options;
    this.directory.start();
    this.sets.start();
    this.#keys.hold(RELAYS + id, writeRecord({ address }), this.#stopped.signal).catch((error) => {
      if (!this.#stopped.signal.aborted) log.error({ err: error }, "the relay cannot register");
    });
  }

  /** Hosts that a selector chooses, by id, after one. */
  async listHosts(
    selector: HostSelector | undefined,
    after: string | undefined,
    limit: number,
  ): Promise<HostPage> {
    await this.directory.ready();
    const isChosen = hostMatcher(selector);
    const hosts: FleetHost[] = [];
    for (const id of this.directory.ids) {
      if (after !== undefined && id <= after) continue;
      const host = this.directory.host(id);
      if (host === undefined || !isChosen(host)) continue;
      if (hosts.length === limit) return { hosts, nextAfter: hosts.at(-1)?.id };
      hosts.push(host);
    }
    return { hosts, nextAfter: undefined };
  }

  /** See {@link watchHosts}. */
  watchHosts(
    selector: HostSelector | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<HostEvent, void> {
    return watchHosts(this.directory, selector, signal);
  }

  /** See {@link fanOut}. */
  fanOut(fan: FanOut, signal: AbortSignal): AsyncGenerator<FanOutEvent, void> {
    return fanOut(this.#parts, fan, signal);
  }

  /** See {@link aggregateHosts}. */
  aggregate(call: AggregateCall, signal: AbortSignal): AsyncGenerator<AggregateRound, void> {
    return aggregateHosts(this.#parts, call, signal);
  }

  /** See {@link watchFleet}. */
  watchFleet(fleet: FleetWatch, signal: AbortSignal): AsyncGenerator<FleetWatchEvent, void> {
    return watchFleet(this.#parts, fleet, signal);
  }

  get #parts(): FanOutParts {
    return { directory: this.directory, caller: this.hosts, clock: this.#clock };
  }

  /**
   * Hosts are sent to the other relays, and called here until they are there. Settles when none
   * is left and no call is under way, or time is up.
   */
  async goodbye(graceMs: number): Promise<void> {
    const begun = this.#clock.now();
    const within = (work: Promise<unknown>, ms: number) => {
      const { signal } = this.#stopped;
      return Promise.race([work, this.#clock.sleep(ms, signal).catch(() => {})]);
    };
    this.sessions.goodbye();
    const hasOthers = this.directory.relayCount > 1;
    if (hasOthers) await within(this.sessions.gone(), Math.min(MOVE_MS, graceMs));
    await within(this.sessions.idle(), Math.max(0, graceMs - (this.#clock.now() - begun)));
  }

  /** Gives up what it has in the store. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await this.sets.close();
    await this.#keys.close();
    this.directory.close();
  }
}
