import { Controller } from "./parts/controller.ts";
import { HostMachine } from "./parts/host-machine.ts";
import { RelayMachine } from "./parts/relay-machine.ts";
import { Truth } from "./parts/truth.ts";
import { StoreMachine } from "./store/store-machine.ts";
import type { Machine } from "./world/machine.ts";
import { World } from "./world/world.ts";

/** How large a simulated fleet is. */
export interface FleetSize {
  readonly hosts: number;
  readonly relays: number;
}

/** A fleet of simulated machines with the real code on them. */
export class Fleet {
  readonly world: World;
  readonly store: StoreMachine;
  readonly relays: readonly RelayMachine[];
  readonly hosts: readonly HostMachine[];
  readonly controllers: readonly Controller[];
  readonly truth: Truth;
  /** Since when nothing has befallen the network between relays and the store, by relay. */
  readonly linkedSince = new Map<Machine, number>();

  constructor(seed: string, { hosts, relays }: FleetSize) {
    const world = new World(seed);
    this.world = world;
    this.truth = new Truth(world);
    this.store = new StoreMachine(world);
    this.store.platter.onChanges = (changes) => this.truth.take(changes);
    this.store.onOpen = (store) => this.truth.compare(store);
    this.relays = Array.from(
      { length: relays },
      (_, index) => new RelayMachine(world, this.store, `relay-${index}`),
    );
    this.hosts = Array.from(
      { length: hosts },
      (_, index) => new HostMachine(world, this.truth, this.relays, index),
    );
    this.controllers = ["anna", "bert"].map(
      (name) => new Controller(world, this.store, this.truth, name),
    );
  }

  /** Hosts come one after the other, within some seconds. */
  start(): void {
    const { scheduler, random } = this.world;
    void this.store.start();
    for (const relay of this.relays) scheduler.after(random.between(50, 500), () => relay.start());
    for (const host of this.hosts) {
      scheduler.after(random.between(100, 5_000), () => host.start());
    }
    for (const controller of this.controllers) scheduler.after(100, () => controller.start());
  }
}
