import type { Fleet } from "./fleet.ts";
import { SET_NAMES } from "./parts/controller.ts";
import type { HostMachine } from "./parts/host-machine.ts";
import { FOREIGN, OTHERS_VALUE } from "./parts/kernel-map.ts";
import type { RelayMachine } from "./parts/relay-machine.ts";
import type { Machine } from "./world/machine.ts";

/** Something that befalls a fleet; what it does is undone after a while, or by `heal`. */
type Fault = (faults: Faults) => void;

/** Whatever can go wrong, at random. */
export class Faults {
  readonly fleet: Fleet;
  readonly #undo = new Set<() => void>();
  #isOn = false;

  constructor(fleet: Fleet) {
    this.fleet = fleet;
  }

  /** Things go wrong from now on. */
  begin(): void {
    this.#isOn = true;
    this.#next(FLEET_FAULTS, 6_000);
    // Each host has its turn every 40 s or so, however many there are.
    this.#next(HOST_FAULTS, 40_000 / this.fleet.hosts.length);
  }

  /** Everything is mended. */
  heal(): void {
    this.#isOn = false;
    for (const undo of [...this.#undo]) undo();
    this.fleet.world.network.heal();
    this.fleet.world.history.note([], "everything is mended");
  }

  /** Hosts that go while all else is well, and come back later. */
  leave(count: number, ms: number): void {
    for (let index = 0; index < count; index++) {
      const { host } = this;
      if (!host.machine.isUp) continue;
      host.powerOff();
      this.fleet.world.scheduler.after(ms, () => host.powerOn());
    }
  }

  /** Does something, and undoes it later. */
  for(ms: number, undo: () => void): void {
    const once = () => {
      if (this.#undo.delete(once)) undo();
    };
    this.#undo.add(once);
    this.fleet.world.scheduler.after(ms, once);
  }

  note(about: readonly string[], text: string): void {
    this.fleet.world.history.note(about, text);
  }

  get random() {
    return this.fleet.world.random;
  }

  get host(): HostMachine {
    return this.random.of(this.fleet.hosts)!;
  }

  get relay(): RelayMachine {
    return this.random.of(this.fleet.relays)!;
  }

  #next(faults: readonly Fault[], everyMs: number): void {
    this.fleet.world.scheduler.after(this.random.between(0, 2 * everyMs), () => {
      if (!this.#isOn) return;
      this.random.of(faults)!(this);
      this.#next(faults, everyMs);
    });
  }
}

const HOST_FAULTS: readonly Fault[] = [
  (faults) => {
    const { host, random } = faults;
    if (!host.isAlive) return;
    host.kill();
    faults.for(random.between(50, 20_000), () => {
      if (host.machine.isUp && !host.isAlive) host.start();
    });
  },
  (faults) => {
    const { host, random } = faults;
    if (!host.machine.isUp) return;
    host.powerOff();
    faults.for(random.between(2_000, 60_000), () => host.powerOn());
  },
  (faults) => {
    const { host, random } = faults;
    isolate(faults, host.machine, random.between(500, 60_000));
  },
  (faults) => {
    const { host, relay, random } = faults;
    cutOneWay(faults, host.machine, host.machine, relay.machine, random.between(500, 60_000));
  },
  (faults) => {
    const { host, relay, random } = faults;
    cutOneWay(faults, host.machine, relay.machine, host.machine, random.between(500, 60_000));
  },
  (faults) => faults.host.reset(),
  (faults) => {
    const { host, random } = faults;
    host.machine.slowness = random.between(10, 300);
    faults.note([host.id], `is ${Math.round(host.machine.slowness)} times as slow`);
    host.slowUntil = Number.POSITIVE_INFINITY;
    faults.for(random.between(5_000, 40_000), () => {
      host.machine.slowness = 1;
      host.slowUntil = faults.fleet.world.now;
    });
  },
  (faults) => drift(faults),
  (faults) => drift(faults),
  ({ host, random }) => host.renewMap(random.of(SET_NAMES)!),
];

const FLEET_FAULTS: readonly Fault[] = [
  (faults) => {
    const { relay, random } = faults;
    if (!relay.run) return;
    relay.kill();
    faults.for(random.between(100, 30_000), () => relay.run ?? relay.start());
  },
  (faults) => {
    const { relay, random } = faults;
    if (!relay.run) return;
    const stopped = relay.stop(random.between(0, 5_000));
    const start = () => relay.run ?? relay.start();
    faults.for(random.between(6_000, 20_000), () => void stopped.then(start));
  },
  (faults) => {
    const { relay, random } = faults;
    isolate(faults, relay.machine, random.between(500, 40_000));
  },
  (faults) => {
    const { relay, fleet, random } = faults;
    cutOneWay(
      faults,
      relay.machine,
      relay.machine,
      fleet.store.machine,
      random.between(500, 40_000),
    );
  },
  (faults) => {
    const { relay, fleet, random } = faults;
    cutOneWay(
      faults,
      relay.machine,
      fleet.store.machine,
      relay.machine,
      random.between(500, 40_000),
    );
  },
  (faults) => {
    const { store } = faults.fleet;
    if (!store.open) return;
    store.kill();
    faults.for(faults.random.between(100, 25_000), () => void store.start());
  },
  (faults) => {
    const { store } = faults.fleet;
    store.setHealth({ syncMs: faults.random.between(50, 2_000) });
    faults.for(faults.random.between(1_000, 15_000), () => store.cure());
  },
  (faults) => {
    const { store } = faults.fleet;
    store.setHealth({ failures: faults.random.between(0.1, 1) });
    faults.for(faults.random.between(500, 8_000), () => store.cure());
  },
  (faults) => {
    const { open } = faults.fleet.store;
    if (!open) return;
    open.store.get("x").then(
      ({ revision }) => open.store.compact(revision).catch(() => {}),
      () => {},
    );
    faults.note([], "the store's history is compacted");
  },
  (faults) => {
    const controller = faults.random.of(faults.fleet.controllers)!;
    controller.kill();
    faults.for(faults.random.between(100, 5_000), () => controller.start());
  },
];

function isolate(faults: Faults, machine: Machine, ms: number): void {
  const { network } = faults.fleet.world;
  network.isolate(machine);
  faults.fleet.linkedSince.set(machine, Number.POSITIVE_INFINITY);
  faults.note([machine.name], "reaches nobody");
  faults.for(ms, () => {
    network.heal(machine);
    faults.fleet.linkedSince.set(machine, faults.fleet.world.now);
    faults.note([machine.name], "reaches others again");
  });
}

/** @param whose the machine that is not well by it: a host, or a relay that is cut from its store */
function cutOneWay(faults: Faults, whose: Machine, from: Machine, to: Machine, ms: number): void {
  const { world, linkedSince } = faults.fleet;
  world.network.cut(from, to);
  linkedSince.set(whose, Number.POSITIVE_INFINITY);
  faults.note([from.name, to.name], `nothing comes from ${from.name} to ${to.name}`);
  faults.for(ms, () => {
    world.network.heal(from, to);
    linkedSince.set(whose, world.now);
    faults.note([from.name, to.name], `${from.name} reaches ${to.name} again`);
  });
}

function drift({ host, random, fleet }: Faults): void {
  if (!host.machine.isUp) return;
  const name = random.of(SET_NAMES)!;
  const map = host.map(name);
  const keys = Array.from({ length: 1 + random.below(4) }, () =>
    random.chance(0.2) ? FOREIGN + random.below(5) : random.below(100),
  );
  for (const key of keys)
    map.drift(key, random.chance(0.5) ? undefined : OTHERS_VALUE + random.below(1e6));
  fleet.world.history.note([host.id], `others change ${keys.join(", ")} of its map ${name}`);
}
