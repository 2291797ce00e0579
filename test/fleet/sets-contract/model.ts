import fc from "fast-check";
import { expect, test } from "vitest";
import { Collector, MapSets, type SetSpec } from "#dist/fleet/sets/index.js";
import { type Store, StoreError } from "#dist/fleet/store/index.js";
import type { FreshStore, StoreKind } from "../store-contract/fixture.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { aroundTransactions, elementsOf, patchOf, readSet, SPEC, sorted } from "./fixture.ts";

/**
 * Elements are so large that three make a segment, and they are folded and merged all the time.
 * A crash is a place among the transactions of the step: there its writer dies, just before or
 * just after; or it never comes.
 */
type Step =
  | { readonly step: "put"; readonly keys: readonly number[]; readonly crash: Crash }
  | {
      readonly step: "patch";
      readonly puts: readonly number[];
      readonly removals: readonly number[];
      readonly expects: "present" | "past" | "anything";
      readonly crash: Crash;
    }
  | { readonly step: "delete"; readonly crash: Crash }
  | { readonly step: "collect"; readonly crash: Crash }
  | { readonly step: "reopen" };

interface Crash {
  readonly at: number;
  readonly when: "before" | "after";
}

const RUNS = Number(process.env.BPFMAPD_SETS_MODEL_RUNS ?? 25);
const seed = process.env.BPFMAPD_MODEL_SEED;
const BIG: SetSpec = { ...SPEC, valueSize: 36_000 };
const UPKEEP = { mostLayers: 3, recentLayers: 1, foldedChanges: 7, foldedShare: 0 };

const key = fc.nat(25);
const crash = fc.record({
  at: fc.oneof({ weight: 3, arbitrary: fc.constant(1000) }, { weight: 1, arbitrary: fc.nat(4) }),
  when: fc.constantFrom("before" as const, "after" as const),
});
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({
        step: fc.constant("put" as const),
        keys: fc.uniqueArray(key, { maxLength: 20 }),
        crash,
      }),
    },
    {
      weight: 10,
      arbitrary: fc.record({
        step: fc.constant("patch" as const),
        puts: fc.uniqueArray(key, { maxLength: 4 }),
        removals: fc.uniqueArray(key, { maxLength: 4 }),
        expects: fc.constantFrom("present", "past", "anything"),
        crash,
      }),
    },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("delete" as const), crash }) },
    { weight: 4, arbitrary: fc.record({ step: fc.constant("collect" as const), crash }) },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("reopen" as const) }) },
  ),
  { minLength: 10, maxLength: 40, size: "max" },
);

export function modelCases(kind: StoreKind): void {
  test(
    "agree with a Map after each step, also where a writer or collector dies between two",
    async () => {
      const property = fc.asyncProperty(steps, async (planned) => {
        const fresh = await kind.fresh();
        try {
          const run = new Run(fresh, await fresh.connect());
          for (const step of planned) {
            await run.take(step);
            await run.check();
          }
        } finally {
          await fresh.dispose();
        }
      });
      await fc.assert(property, {
        numRuns: RUNS,
        ...(seed !== undefined && { seed: Number(seed) }),
        interruptAfterTimeLimit: 50_000 + RUNS * 1000,
        markInterruptAsFailure: true,
      });
    },
    120_000 + RUNS * 1000,
  );
}

/** A set, and what it must be: the contents of each generation, from when it was made. */
class Run {
  readonly #fresh: FreshStore;
  readonly #clock = new FakeClock();
  #store: Store;
  /** The same, until the fuse has burnt. */
  #mortal: Store;
  #fuse: (Crash & { count: number }) | undefined;
  #collector: Collector;
  #generations: Map<number, number>[] = [];
  #value = 0;

  constructor(fresh: FreshStore, store: Store) {
    this.#fresh = fresh;
    this.#store = store;
    this.#mortal = this.#makeMortal(store);
    this.#collector = this.#newCollector();
  }

  async take(step: Step): Promise<void> {
    switch (step.step) {
      case "put":
        return this.#put(step);
      case "patch":
        return this.#patch(step);
      case "delete":
        return this.#delete(step.crash);
      case "collect":
        return this.#collect(step.crash);
      case "reopen":
        this.#store = (await this.#fresh.reopen?.()) ?? this.#store;
        this.#mortal = this.#makeMortal(this.#store);
        this.#collector = this.#newCollector();
    }
  }

  /** The present generation and those before it are what they must be. */
  async check(): Promise<void> {
    const sets = new MapSets(this.#store, { cacheBytes: 0 });
    const generation = this.#generations.length;
    if (generation === 0) {
      return expect(sets.get("s")).rejects.toMatchObject({ code: "NOT_FOUND" });
    }
    const { manifest } = await sets.get("s");
    expect(manifest).toMatchObject({ generation, count: this.#present.size });
    for (const at of [generation, generation - 1, generation - 8]) {
      if (at < 1) continue;
      expect([...(await readSet(sets, "s", at))]).toEqual([...sorted(this.#generations[at - 1]!)]);
    }
  }

  async #put({ keys, crash }: Step & { step: "put" }): Promise<void> {
    const next = new Map(keys.map((one) => [one, this.#value++]));
    const done = await this.#dying(crash, (store) =>
      this.#sets(store).put("s", BIG, [elementsOf(next, BIG)]),
    );
    // One like what is there is none.
    if (done === "dead" ? await this.#isCommitted() : done.isNew) this.#generations.push(next);
  }

  async #patch(step: Step & { step: "patch" }): Promise<void> {
    const puts = new Map(step.puts.map((one) => [one, this.#value++]));
    const removals = step.removals.filter((one) => !puts.has(one));
    const generation = this.#generations.length;
    const expected = { present: generation, past: generation - 1, anything: undefined }[
      step.expects
    ];
    const patch = (store: Store) =>
      this.#sets(store).patch("s", patchOf(puts, removals, BIG), { expected });
    if (generation === 0 || step.expects === "past") {
      const code = step.expects === "past" ? "GENERATION_CONFLICT" : "NOT_FOUND";
      return expect(patch(this.#store)).rejects.toMatchObject({ code });
    }
    const next = new Map([...this.#present, ...puts]);
    for (const one of removals) next.delete(one);
    const done = await this.#dying(step.crash, patch);
    const removed = removals.filter((one) => this.#present.has(one)).length;
    if (done !== "dead") {
      expect(done.removed).toBe(removed);
      expect(done.added + done.changed).toBe(puts.size);
      expect(done.isNew).toBe(puts.size + removed > 0);
    }
    if (done === "dead" ? await this.#isCommitted() : done.isNew) this.#generations.push(next);
  }

  async #delete(crash: Crash): Promise<void> {
    const remove = (store: Store) => this.#sets(store).delete("s");
    if (this.#generations.length === 0) {
      return expect(remove(this.#store)).rejects.toMatchObject({ code: "NOT_FOUND" });
    }
    const done = await this.#dying(crash, remove);
    if (done !== "dead" || (await this.#isGone())) this.#generations = [];
  }

  async #collect(crash: Crash): Promise<void> {
    this.#clock.pass(1);
    const collected = await this.#dying(crash, () => this.#collector.run());
    if (collected === "dead") this.#collector = this.#newCollector();
  }

  /** Does something with a store that fails for ever from some transaction on. */
  async #dying<T>(crash: Crash, work: (store: Store) => Promise<T>): Promise<T | "dead"> {
    this.#fuse = { ...crash, count: 0 };
    try {
      return await work(this.#mortal);
    } catch (error) {
      if (!(error instanceof Died)) throw error;
      return "dead";
    } finally {
      this.#fuse = undefined;
    }
  }

  async #transact(transact: () => ReturnType<Store["transact"]>) {
    if (this.#fuse === undefined) return transact();
    const { at, when } = this.#fuse;
    const number = this.#fuse.count++;
    if (number > at || (number === at && when === "before")) throw new Died();
    const answer = await transact();
    if (number === at) throw new Died();
    return answer;
  }

  async #isCommitted(): Promise<boolean> {
    if (await this.#isGone()) return false;
    const { manifest } = await this.#sets(this.#store).get("s");
    return manifest.generation > this.#generations.length;
  }

  async #isGone(): Promise<boolean> {
    return this.#sets(this.#store)
      .get("s")
      .then(
        () => false,
        () => true,
      );
  }

  get #present(): Map<number, number> {
    return this.#generations.at(-1)!;
  }

  #sets(store: Store): MapSets {
    return new MapSets(store, { upkeep: UPKEEP });
  }

  #makeMortal(store: Store): Store {
    return aroundTransactions(store, (transact) => this.#transact(transact));
  }

  #newCollector(): Collector {
    return new Collector(this.#mortal, { graceMs: 1, clock: this.#clock });
  }
}

/** The process is no more: not an error that anybody handles. */
class Died extends StoreError {
  constructor() {
    super("CLOSED", "died");
  }
}
