import fc from "fast-check";
import { expect, test } from "vitest";
import { Reconciler, SegmentLibrary } from "#dist/fleet/reconcile/index.js";
import { Collector, MapSets, OWNERSHIPS, type Ownership } from "#dist/fleet/sets/index.js";
import type { Store } from "#dist/fleet/store/index.js";
import { elementsOf, patchOf, readSet, SPEC } from "../sets-contract/fixture.ts";
import { embedded } from "../support/embedded.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { MemoryDisk } from "./support/memory-state.ts";
import { Crash, SimulatedMap } from "./support/simulated-map.ts";

const RUNS = Number(process.env.BPFMAPD_SETS_MODEL_RUNS ?? 60);
const seed = process.env.BPFMAPD_MODEL_SEED;
const { signal } = new AbortController();

const key = fc.nat(25);
/** What others have in the map, too. */
const FOREIGN = [1000, 1001, 1002, 1003];

type Step =
  | { readonly step: "put"; readonly keys: readonly number[] }
  | {
      readonly step: "patch";
      readonly puts: readonly number[];
      readonly removals: readonly number[];
    }
  | { readonly step: "reconcile"; readonly crashes: readonly number[]; readonly skips: boolean }
  | { readonly step: "drift"; readonly keys: readonly number[]; readonly removes: boolean }
  | { readonly step: "foreign"; readonly keys: readonly number[] }
  | { readonly step: "new map" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({
        step: fc.constant("put" as const),
        keys: fc.uniqueArray(key, { maxLength: 20 }),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        step: fc.constant("patch" as const),
        puts: fc.uniqueArray(key, { maxLength: 4 }),
        removals: fc.uniqueArray(key, { maxLength: 4 }),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        step: fc.constant("reconcile" as const),
        /** Writes until the daemon dies, for each of its lives before the last. */
        crashes: fc.array(fc.nat(8), { maxLength: 2 }),
        /** Whether it gets no further than these. */
        skips: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        step: fc.constant("drift" as const),
        keys: fc.uniqueArray(key, { maxLength: 3 }),
        removes: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        step: fc.constant("foreign" as const),
        keys: fc.uniqueArray(fc.constantFrom(...FOREIGN)),
      }),
    },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("new map" as const) }) },
  ),
  { minLength: 5, maxLength: 30, size: "max" },
);

test(
  "whatever is put, patched, changed by others and interrupted, a host ends with what its set says",
  async () => {
    const property = fc.asyncProperty(
      fc.constantFrom(...OWNERSHIPS),
      steps,
      async (ownership, planned) => {
        const fresh = await embedded.fresh();
        try {
          const run = new Run(await fresh.connect(), ownership);
          for (const step of planned) await run.take(step);
          await run.take({ step: "reconcile", crashes: [], skips: false });
        } finally {
          await fresh.dispose();
        }
      },
    );
    await fc.assert(property, {
      numRuns: RUNS,
      ...(seed !== undefined && { seed: Number(seed) }),
      interruptAfterTimeLimit: 50_000 + RUNS * 500,
      markInterruptAsFailure: true,
    });
  },
  120_000 + RUNS * 500,
);

class Run {
  readonly #ownership: Ownership;
  readonly #sets: MapSets;
  readonly #clock = new FakeClock();
  readonly #collector: Collector;
  readonly #disk = new MemoryDisk();
  readonly #library: SegmentLibrary;
  #map = new SimulatedMap(1000);
  #foreign = new Map<number, number>();
  #value = 1;
  #isMade = false;

  constructor(store: Store, ownership: Ownership) {
    this.#ownership = ownership;
    const upkeep = { mostLayers: 3, recentLayers: 2, foldedChanges: 9, foldedShare: 0 };
    this.#sets = new MapSets(store, { upkeep, cacheBytes: 0 });
    this.#collector = new Collector(store, { graceMs: 1, clock: this.#clock });
    this.#library = new SegmentLibrary(this.#disk, (set, hash) => this.#sets.segment(set, hash));
  }

  async take(step: Step): Promise<void> {
    switch (step.step) {
      case "put":
        return this.#put(step.keys);
      case "patch": {
        if (!this.#isMade) return;
        const removals = step.removals.filter((one) => !step.puts.includes(one));
        await this.#sets.patch("s", patchOf(this.#valued(step.puts), removals));
        return;
      }
      case "reconcile":
        return this.#reconcile(step);
      case "drift":
        return this.#drift(step);
      case "foreign":
        if (this.#ownership === "exclusive") return;
        for (const one of step.keys) {
          this.#foreign.set(one, this.#value);
          this.#map.elements.set(one, this.#value++);
        }
        return;
      case "new map":
        this.#map = new SimulatedMap(1000);
        this.#map.identity = `map ${this.#value++}`;
        this.#foreign = new Map();
    }
  }

  async #put(keys: readonly number[]): Promise<void> {
    const spec = { ...SPEC, ownership: this.#ownership };
    await this.#sets.put("s", spec, [elementsOf(this.#valued(keys))]);
    this.#isMade = true;
  }

  async #reconcile({ crashes, skips }: Step & { step: "reconcile" }): Promise<void> {
    this.#clock.pass(1);
    await this.#collector.run();
    if (!this.#isMade) return;
    for (const writes of crashes) {
      this.#map.fuse = writes;
      await this.#once().catch((error) => {
        if (!(error instanceof Crash)) throw error;
      });
      this.#map.fuse = undefined;
    }
    if (skips) return;
    await this.#once();
    await this.#check();
  }

  /** A new process applies and verifies. */
  async #once(): Promise<void> {
    const { manifest } = await this.#sets.get("s");
    const host = new Reconciler("s", this.#library, this.#disk, this.#disk.records.get("s"));
    await host.apply(this.#map, manifest, signal);
    await host.verify(this.#map, signal);
    await this.#library.keepOnly(host.written);
    expect(host.applied).toEqual(manifest);
  }

  async #check(): Promise<void> {
    const contents = await readSet(this.#sets, "s");
    const expected = new Map([...contents, ...this.#foreign]);
    const found = new Map(this.#map.elements);
    if (this.#ownership === "additive") {
      for (const one of found.keys()) if (!expected.has(one)) found.delete(one);
    }
    const inOrder = (elements: Map<number, number>) => [...elements].sort(([a], [b]) => a - b);
    expect(inOrder(found)).toEqual(inOrder(expected));
  }

  /** Others change elements that are the set's. */
  async #drift({ keys, removes }: Step & { step: "drift" }): Promise<void> {
    if (!this.#isMade) return;
    const contents = await readSet(this.#sets, "s");
    for (const one of keys) {
      if (!contents.has(one) || !this.#map.elements.has(one)) continue;
      if (removes) this.#map.elements.delete(one);
      else this.#map.elements.set(one, this.#value++);
    }
  }

  #valued(keys: readonly number[]): [number, number][] {
    return keys.map((one) => [one, this.#value++]);
  }
}
