import {
  type ConnectRequest,
  type ConnectResponse,
  type FollowMapSetsRequest,
  type FollowMapSetsResponse,
  type HostRegistration,
  HostRegistrationSchema,
  type MapSetStatus,
} from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { HostAgent, type HostPeer, HostSets } from "#dist/fleet/index.js";
import { MemoryDisk } from "../../reconcile/support/memory-state.ts";
import type { Connection } from "../world/connection.ts";
import { Machine, Process } from "../world/machine.ts";
import type { World } from "../world/world.ts";
import { HostDisk } from "./host-disk.ts";
import { KernelMap, KernelMapTarget } from "./kernel-map.ts";
import { noteLog } from "./note-log.ts";
import type { RelayMachine } from "./relay-machine.ts";
import type { Truth } from "./truth.ts";

const KEEPALIVE_MS = 30_000;

/** A session that a host takes for open. */
export interface OpenSession {
  readonly id: string;
  readonly relay: RelayMachine;
  readonly connection: Connection;
  readonly since: number;
}

/** A host: its maps stay when its daemon is killed, and its disk when its power goes. */
export class HostMachine {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly machine: Machine;
  readonly maps = new Map<string, KernelMap>();
  /** Sessions of its present process. */
  readonly sessions = new Set<OpenSession>();
  readonly statuses = new Map<string, MapSetStatus>();
  /** Since when nothing is there that could keep it listed as connected. */
  goneSince: number | undefined = 0;
  /** When it is as fast as others again. */
  slowUntil = 0;
  readonly capacity: number;
  readonly #world: World;
  readonly #truth: Truth;
  readonly #relays: readonly RelayMachine[];
  readonly #disk = new MemoryDisk();
  #agent: HostAgent | undefined;

  constructor(world: World, truth: Truth, relays: readonly RelayMachine[], index: number) {
    this.#world = world;
    this.#truth = truth;
    this.#relays = relays;
    this.id = `host-${index}`;
    this.labels = { zone: index % 3 === 0 ? "a" : "b" };
    this.machine = new Machine(this.id, world.seed);
    this.capacity = index % 10 === 9 ? 40 : 200;
  }

  get isAlive(): boolean {
    return this.machine.process?.isAlive ?? false;
  }

  map(set: string): KernelMap {
    let map = this.maps.get(set);
    if (!map) {
      map = new KernelMap(this.#world, this.#truth.set(set), this.id, set, this.capacity);
      this.maps.set(set, map);
    }
    return map;
  }

  start(): void {
    const process = new Process(this.machine, this.#world.scheduler);
    const { clock } = process;
    this.#world.history.note([this.id], "starts");
    this.goneSince = undefined;
    this.sessions.clear();
    this.statuses.clear();
    const disk = new HostDisk(this.#disk, process);
    const log = noteLog(this.#world, process);
    const sets = new HostSets({
      ...{ directory: "", clock, log, verifyMs: 30_000 },
      memory: { state: disk, shelf: disk },
      connect: noCalls,
      openMap: (manifest) => new KernelMapTarget(() => this.map(manifest.name), process, manifest),
    });
    this.#agent = new HostAgent({
      ...{ clock, log },
      relays: this.#relays.map(({ id }) => id),
      dial: (address) => this.#dial(process, address),
      register: () => this.#registration(),
      connect: noCalls,
      checkRelay: () => {},
      onSession: (session) => sets.follow(session),
      maxMessageBytes: 4 * 1024 * 1024,
    });
    this.#agent.start();
  }

  kill(): void {
    const { process } = this.machine;
    if (!process?.isAlive) return;
    this.#world.history.note([this.id], "is killed");
    this.#world.network.kill(process);
    this.#gone();
  }

  /** Its maps are lost, its disk is not. */
  powerOff(): void {
    this.#world.history.note([this.id], "loses its power");
    this.#world.network.powerOff(this.machine);
    this.maps.clear();
    this.#gone();
  }

  powerOn(): void {
    this.machine.isUp = true;
    this.start();
  }

  /** Something between it and its relay breaks the connection. */
  reset(): void {
    this.#world.history.note([this.id], "its connections are reset");
    for (const { connection } of this.sessions) connection.reset();
  }

  /** A set's map is removed and made anew, empty. */
  renewMap(set: string): void {
    this.#world.history.note([this.id], `its map ${set} is made anew`);
    this.maps.delete(set);
  }

  #gone(): void {
    this.goneSince ??= this.#world.now;
    this.sessions.clear();
  }

  #registration(): HostRegistration {
    const { id: hostId, labels } = this;
    return create(HostRegistrationSchema, { hostId, labels, host: {} });
  }

  async #dial(process: Process, address: string) {
    const relay = this.#relays.find(({ id }) => id === address)!;
    const { network } = this.#world;
    const connection = await process.living(network.dial(process, relay.machine, KEEPALIVE_MS));
    const peer: HostPeer = { name: this.id, address: "10.0.0.1:1", sans: [this.id] };
    const stream = connection.openStream<ConnectRequest, ConnectResponse>((requests, signal) =>
      relay.run!.relay.sessions.serve(requests, peer, signal),
    );
    const onWelcome = (id: string) => {
      const session = { id, relay, connection, since: this.#world.now };
      this.sessions.add(session);
      return session;
    };
    return {
      relay: { address },
      send: (frame: ConnectRequest) => stream.send(frame),
      frames: this.#noting(stream.frames, process, onWelcome),
      followSets: () => this.#followSets(process, connection, relay, peer),
      close: () => {
        stream.close();
        connection.close();
      },
    };
  }

  async *#noting(
    frames: AsyncIterable<ConnectResponse>,
    process: Process,
    onWelcome: (sessionId: string) => OpenSession,
  ) {
    let session: OpenSession | undefined;
    try {
      for await (const response of frames) {
        yield response;
        if (response.frame.case !== "welcome") continue;
        session = onWelcome(response.frame.value.sessionId);
        this.#world.history.note([this.id, session.relay.id], "has a session");
      }
    } finally {
      if (session && process.isAlive) this.sessions.delete(session);
    }
  }

  /** The statuses go by here, too, on their way to the relay. */
  #followSets(process: Process, connection: Connection, relay: RelayMachine, peer: HostPeer) {
    const stream = connection.openStream<FollowMapSetsRequest, FollowMapSetsResponse>(
      (requests, signal) => relay.run!.relay.sets.follow(requests, peer, signal),
    );
    const send = (request: FollowMapSetsRequest) => {
      const { frame } = request;
      if (frame.case === "status" && process.isAlive) this.#tell(frame.value);
      return stream.send(request);
    };
    return { ...stream, send };
  }

  #tell(status: MapSetStatus): void {
    const { name, mapSetId, appliedGeneration, errorReason, errorMessage, verifiedAt } = status;
    const before = this.statuses.get(name);
    this.statuses.set(name, status);
    if (errorReason !== "" && errorMessage !== before?.errorMessage) {
      this.#world.history.note([this.id], `${name}: ${errorMessage}`);
    }
    // What was found while there was no session is told later.
    const isSeen = verifiedAt && timestampMs(verifiedAt) === Math.floor(Date.now());
    if (!isSeen || errorReason !== "" || appliedGeneration === 0n) return;
    if (before?.appliedGeneration !== appliedGeneration || before.mapSetId !== mapSetId) {
      this.#world.history.note([this.id], `${name} is at generation ${appliedGeneration}`);
    }
    this.map(name).told(mapSetId, Number(appliedGeneration));
  }
}

function noCalls(): never {
  throw new Error("nobody calls hosts in this simulation");
}
