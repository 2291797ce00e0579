import { Relay } from "#dist/fleet/index.js";
import { RemoteStore } from "../store/remote-store.ts";
import type { StoreMachine } from "../store/store-machine.ts";
import { Machine, Process } from "../world/machine.ts";
import type { World } from "../world/world.ts";
import { noteLog } from "./note-log.ts";

export const HEARTBEAT_MS = 5_000;
export const LEASE_SECONDS = 15;
export const FORGET_SECONDS = 600;

/** A relay's process with what it serves. */
interface RelayRun {
  readonly process: Process;
  readonly relay: Relay;
  isStopping: boolean;
}

/** A machine for a relay. */
export class RelayMachine {
  readonly id: string;
  readonly machine: Machine;
  /** When its process began or ended last. */
  changedAt = 0;
  readonly #world: World;
  readonly #store: StoreMachine;
  #run: RelayRun | undefined;

  constructor(world: World, store: StoreMachine, id: string) {
    this.#world = world;
    this.#store = store;
    this.id = id;
    this.machine = new Machine(id, world.seed);
  }

  /** What runs there now. */
  get run(): RelayRun | undefined {
    return this.#run?.process.isAlive ? this.#run : undefined;
  }

  start(): void {
    const { id } = this;
    const process = new Process(this.machine, this.#world.scheduler);
    const store = new RemoteStore(this.#world, process, this.#store);
    const log = noteLog(this.#world, process);
    const relay = new Relay({
      ...{ id, store, clock: process.clock, log },
      heartbeatMs: HEARTBEAT_MS,
      leaseSeconds: LEASE_SECONDS,
      forgetSeconds: FORGET_SECONDS,
      maxMessageBytes: 4 * 1024 * 1024,
    });
    this.#run = { process, relay, isStopping: false };
    this.changedAt = this.#world.now;
    this.#world.history.note([id], "starts");
    relay.start();
  }

  kill(): void {
    if (!this.run) return;
    this.changedAt = this.#world.now;
    this.#world.history.note([this.id], "is killed");
    this.#world.network.kill(this.run.process);
  }

  /** Sends its hosts away, and ends. */
  async stop(graceMs: number): Promise<void> {
    const { run } = this;
    if (!run || run.isStopping) return;
    run.isStopping = true;
    this.#world.history.note([this.id], "stops");
    await run.relay.goodbye(graceMs);
    await run.relay.close();
    this.changedAt = this.#world.now;
    this.#world.network.kill(run.process);
  }
}
