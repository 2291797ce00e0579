import { EmbeddedStore } from "#dist/fleet/store/embedded/embedded-store.js";
import { Engine } from "#dist/fleet/store/embedded/engine.js";
import type { Store } from "#dist/fleet/store/index.js";
import { Machine, Process } from "../world/machine.ts";
import type { World } from "../world/world.ts";
import { type DiskHealth, Platter, SimulatedDisk } from "./simulated-disk.ts";

const WELL: DiskHealth = { syncMs: 2, failures: 0 };

/** A process that has the fleet's store open, on a machine of its own. */
export class StoreMachine {
  readonly machine: Machine;
  readonly platter = new Platter();
  readonly health: DiskHealth = { ...WELL };
  /** Since when it has been up, and well. */
  wellSince = 0;
  onOpen: (store: Store) => Promise<void> = async () => {};
  readonly #world: World;
  #open: { readonly process: Process; readonly store: Store } | undefined;

  constructor(world: World) {
    this.#world = world;
    this.machine = new Machine("store", world.seed);
  }

  /** The store, where it is up: for who runs in its process. */
  get open(): { readonly process: Process; readonly store: Store } | undefined {
    return this.#open?.process.isAlive ? this.#open : undefined;
  }

  async start(): Promise<void> {
    const process = new Process(this.machine, this.#world.scheduler);
    const disk = new SimulatedDisk(this.platter, process, this.health);
    const engine = await process.living(Engine.open(disk, process.clock, 0));
    const store = new EmbeddedStore(engine, process.clock);
    await process.living(this.onOpen(store));
    this.#open = { process, store };
    if (this.health.failures === 0) this.wellSince = this.#world.now;
    this.#world.history.note([], `the store is up at revision ${engine.revision}`);
  }

  kill(): void {
    const { process } = this.machine;
    if (!process?.isAlive) return;
    this.#world.history.note([], "the store is killed");
    this.#world.network.kill(process);
    this.wellSince = Number.POSITIVE_INFINITY;
  }

  setHealth(health: Partial<DiskHealth>): void {
    Object.assign(this.health, health);
    this.wellSince = Number.POSITIVE_INFINITY;
    this.#world.history.note([], `the store's disk: ${JSON.stringify(this.health)}`);
  }

  cure(): void {
    Object.assign(this.health, WELL);
    if (this.open) this.wellSince = this.#world.now;
    this.#world.history.note([], "the store's disk is well");
  }
}
