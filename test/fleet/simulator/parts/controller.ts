import { Collector, MapSets, SetError, type SetSpec } from "#dist/fleet/sets/index.js";
import { StoreError } from "#dist/fleet/store/index.js";
import { elementsOf, patchOf, SPEC } from "../../sets-contract/fixture.ts";
import { RemoteStore } from "../store/remote-store.ts";
import type { StoreMachine } from "../store/store-machine.ts";
import { Machine, Process } from "../world/machine.ts";
import type { World } from "../world/world.ts";
import type { Intent, Truth } from "./truth.ts";

/** Keys that sets have elements of. */
const KEYS = 100;

/** How often what is left over is collected, and how old it must be, in milliseconds. */
const COLLECT_MS = 20_000;
const GRACE_MS = 60_000;

const SETS: Readonly<Record<string, SetSpec>> = {
  routes: { ...SPEC, map: { name: "routes" } },
  denied: { ...SPEC, ownership: "merge", selector: { labels: { zone: "a" } } },
  known: { ...SPEC, ownership: "additive" },
};

export const SET_NAMES = Object.keys(SETS);

/** Who writes sets: one write after the other, each on a set that others write, too. */
export class Controller {
  readonly machine: Machine;
  readonly #world: World;
  readonly #store: StoreMachine;
  readonly #truth: Truth;
  #writes = 0;
  /** Whether it goes on to write. */
  isBusy = true;
  acknowledged = 0;

  constructor(world: World, store: StoreMachine, truth: Truth, name: string) {
    this.#world = world;
    this.#store = store;
    this.#truth = truth;
    this.machine = new Machine(name, world.seed);
  }

  start(): void {
    void this.#run(new Process(this.machine, this.#world.scheduler)).catch((error) =>
      this.#world.history.violate([this.machine.name], `${this.machine.name}: ${error.stack}`),
    );
  }

  kill(): void {
    if (!this.machine.process?.isAlive) return;
    this.#world.history.note([this.machine.name], "is killed");
    this.#world.network.kill(this.machine.process);
  }

  async #run(process: Process): Promise<void> {
    let write = "";
    let ids = 0;
    const sets = new MapSets(new RemoteStore(this.#world, process, this.#store), {
      clock: process.clock,
      now: () => process.wallClock(),
      newId: () => `${write}#${ids++}`,
      upkeep: { mostLayers: 6, recentLayers: 3, foldedChanges: 60, foldedShare: 0 },
    });
    void this.#collect(process);
    for (;;) {
      await process.clock.sleep(this.machine.random.between(200, 6000));
      if (!this.isBusy) continue;
      write = `${this.machine.name}/${this.#writes++}`;
      const name = this.machine.random.of(SET_NAMES)!;
      try {
        await this.#write(sets, name, write);
      } catch (error) {
        if (!(error instanceof SetError || error instanceof StoreError)) throw error;
        const doubt =
          error instanceof StoreError && error.maybeApplied ? ", which may be done" : "";
        this.#world.history.note([name], `${write} fails: ${error.code}${doubt}`);
      }
    }
  }

  /** Sooner than relays do. */
  async #collect(process: Process): Promise<never> {
    const { clock } = process;
    const store = new RemoteStore(this.#world, process, this.#store);
    const collector = new Collector(store, { clock, graceMs: GRACE_MS });
    for (;;) {
      await clock.sleep(COLLECT_MS * (0.5 + clock.random()));
      await collector.run().catch(() => {});
    }
  }

  async #write(sets: MapSets, name: string, write: string): Promise<void> {
    const { random } = this.machine;
    const { present } = this.#truth.set(name);
    if (present && random.chance(0.03)) {
      await sets.delete(name);
      this.acknowledged++;
      return;
    }
    const expected = random.chance(0.5) ? { expected: present?.generation ?? 0 } : {};
    const intent = this.#intent(present !== undefined);
    this.#truth.intend(write, intent);
    const result =
      intent.do === "put"
        ? await sets.put(name, SETS[name]!, [elementsOf(intent.contents)], expected)
        : await sets.patch(name, patchOf(intent.puts, intent.removals), expected);
    const { id, generation } = result.manifest;
    this.acknowledged++;
    const index = this.#truth.set(name).indexOf(id, generation);
    if (index < 0 || !this.#truth.set(name).generations[index]) {
      this.#world.history.violate(
        [name],
        `generation ${generation} was acknowledged and is not in the store`,
      );
    }
  }

  #intent(isThere: boolean): Intent {
    const { random } = this.machine;
    const value = () => random.below(1e6);
    const some = (count: number) =>
      new Map(Array.from({ length: count }, () => [random.below(KEYS), value()] as const));
    if (!isThere || random.chance(0.15)) return { do: "put", contents: some(random.below(60)) };
    const puts = some(random.below(8));
    const removals = [...some(random.below(6)).keys()].filter((key) => !puts.has(key));
    return { do: "patch", puts, removals };
  }
}
