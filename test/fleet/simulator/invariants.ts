import { Liveness } from "@bpfmapd/client/proto";
import { FrameQueue } from "#dist/fleet/session/frame-queue.js";
import { setMatcher } from "#dist/fleet/sets-contract.js";
import type { Fleet } from "./fleet.ts";
import type { HostMachine } from "./parts/host-machine.ts";
import { HEARTBEAT_MS, LEASE_SECONDS, type RelayMachine } from "./parts/relay-machine.ts";
import type { Generation } from "./parts/truth.ts";
import type { Machine } from "./world/machine.ts";

/** How long a host that is gone may be listed, once its relay and the store are well. */
const GONE_MS = Math.max(3 * HEARTBEAT_MS, LEASE_SECONDS * 1000) * 1.02 + 10_000;
/** How long a relay may not know what the store has: a watch that hangs is given up after 15 s. */
const NEWS_MS = 20_000;
/** How long a host may take to have what it should: the longest pause between two looks, and work. */
const RECONCILE_MS = 33_000 * 1.02 + 12_000;
/** Frames that may wait in a session: 16, and what must not wait. */
const QUEUED = 64;

/** Looks whether everything is as promised. */
export class Invariants {
  readonly #fleet: Fleet;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** What holds at any moment, and what must hold where nothing stands in the way. */
  check(): void {
    for (const host of this.#fleet.hosts) {
      this.#goneIsNotListed(host);
      this.#servedOnce(host);
      this.#converges(host);
    }
    this.#queuesAreBounded();
  }

  /** What must hold after a while in which everything was well. */
  checkCalm(): void {
    const { hosts, relays, truth } = this.#fleet;
    for (const host of hosts) {
      const { id } = host;
      const [session] = host.sessions;
      if (!session || host.sessions.size !== 1) {
        this.#violate([id], `${id} has ${host.sessions.size} sessions after a calm`);
        continue;
      }
      const claim = truth.claims.get(id);
      if (claim?.session !== session.id) {
        this.#violate([id], `the store does not have the session of ${id}`);
      }
      for (const relay of relays) {
        const told = relay.run?.relay.directory.host(id);
        const isRight =
          told?.liveness === Liveness.CONNECTED &&
          told.sessionId === session.id &&
          told.relay === session.relay.id;
        const listed = told && `${Liveness[told.liveness]} at ${told.relay || "none"}`;
        const what = `${relay.id} lists ${id} as ${listed}, which is at ${session.relay.id}`;
        if (!isRight) this.#violate([id, relay.id], what);
        const served = relay.run?.relay.sessions.get(id);
        const isServed = relay === session.relay;
        if (isServed ? served?.id !== session.id : served !== undefined) {
          this.#violate(
            [id, relay.id],
            `${relay.id} ${isServed ? "does not serve" : "serves"} ${id}`,
          );
        }
      }
      for (const [name, { present }] of truth.sets) this.#isRight(host, name, present);
    }
  }

  #goneIsNotListed(host: HostMachine): void {
    const { world, truth } = this.#fleet;
    const { id, goneSince } = host;
    if (goneSince === undefined) return;
    const claim = truth.claims.get(id);
    const relay = claim && this.#relay(claim.relay);
    if (claim && relay) {
      const since = Math.max(goneSince, claim.at, this.#wellSince(relay));
      if (world.now > since + GONE_MS) {
        this.#violate(
          [id, relay.id],
          `${id} is gone for long, and the store still has its session`,
        );
      }
    }
    for (const { run, id: relayId, machine } of this.#fleet.relays) {
      if (run?.relay.directory.host(id)?.liveness !== Liveness.CONNECTED) continue;
      const owner = this.#relay(run.relay.directory.session(id)!.relay);
      const since = Math.max(
        goneSince,
        this.#machineSince(machine),
        owner ? this.#wellSince(owner) : 0,
      );
      if (world.now > since + GONE_MS + NEWS_MS) {
        this.#violate(
          [id, relayId],
          `${id} is gone for long, and ${relayId} lists it as connected`,
        );
      }
    }
  }

  #servedOnce({ id }: HostMachine): void {
    const { world, truth, relays } = this.#fleet;
    const claim = truth.claims.get(id);
    if (!claim) return;
    for (const relay of relays) {
      const { run } = relay;
      const session = run && !run.isStopping ? run.relay.sessions.get(id) : undefined;
      if (!session || session.id === claim.session) continue;
      if (world.now > Math.max(claim.at, this.#wellSince(relay)) + NEWS_MS) {
        this.#violate(
          [id, relay.id],
          `${relay.id} serves ${id}, whose session is with ${claim.relay}`,
        );
      }
    }
  }

  /** A host that nothing stands in the way of has what it should. */
  #converges(host: HostMachine): void {
    const { world, truth } = this.#fleet;
    const [session] = host.sessions;
    if (!host.isAlive || !session || host.sessions.size !== 1) return;
    const since = Math.max(
      session.since,
      this.#wellSince(session.relay),
      this.#machineSince(host.machine),
      host.slowUntil,
    );
    for (const [name, { present, changedAt }] of truth.sets) {
      const driftedAt = host.maps.get(name)?.driftedAt ?? 0;
      if (world.now < Math.max(since, changedAt, driftedAt) + RECONCILE_MS) continue;
      this.#isRight(host, name, present);
    }
  }

  #isRight(host: HostMachine, name: string, wanted: Generation | undefined): void {
    if (!wanted || !isFor(host, wanted)) return;
    const map = host.map(name);
    const { count, ownership } = wanted.manifest;
    const status = host.statuses.get(name);
    const isTight = map.capacity < 100 && (count > map.capacity || ownership !== "exclusive");
    if (isTight && status?.errorReason === "MAP_SET_UNFIT") return;
    if (map.isRight(wanted)) return;
    const told = `told: generation ${status?.appliedGeneration} of ${status?.wantedGeneration}, "${status?.errorMessage}"`;
    const what = `${host.id} does not have generation ${wanted.generation} of ${name} (${told})`;
    const relays = [...host.sessions].map(({ relay }) => relay.id);
    this.#violate([host.id, name, ...relays], what);
  }

  #queuesAreBounded(): void {
    for (const { run } of this.#fleet.relays) {
      for (const { serverQueues, client } of run?.process.connections ?? []) {
        for (const queue of serverQueues) {
          if (!(queue instanceof FrameQueue) || queue.waiting <= QUEUED) continue;
          this.#violate([client.name], `${queue.waiting} frames wait for ${client.name}`);
        }
      }
    }
  }

  #relay(id: string): RelayMachine | undefined {
    return this.#fleet.relays.find((relay) => relay.id === id);
  }

  /** Since when a relay, the store and what is between them are well. */
  #wellSince(relay: RelayMachine): number {
    const { store } = this.#fleet;
    return Math.max(
      store.wellSince,
      relay.changedAt,
      this.#machineSince(relay.machine),
      this.#machineSince(store.machine),
    );
  }

  /** Since when nothing stands between a machine and others. */
  #machineSince(machine: Machine): number {
    const { world, linkedSince, store, relays } = this.#fleet;
    const others = [store.machine, ...relays.map((relay) => relay.machine)];
    const isCut = others.some(
      (other) => world.network.isBlocked(machine, other) || world.network.isBlocked(other, machine),
    );
    return isCut ? Number.POSITIVE_INFINITY : (linkedSince.get(machine) ?? 0);
  }

  #violate(about: readonly string[], what: string): void {
    this.#fleet.world.history.violate(about, what);
  }
}

function isFor({ id, labels }: HostMachine, { manifest }: Generation): boolean {
  return setMatcher(manifest)({ id, labels });
}
