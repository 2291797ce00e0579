import fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import type { Store } from "#dist/fleet/index.js";
import { CONTROLS, type RolloutPlan } from "#dist/fleet/rollout/index.js";
import type { FreshStore, StoreKind } from "../store-contract/fixture.ts";
import type { Fault } from "./faulty-store.ts";
import { begin } from "./fixture.ts";
import { World } from "./world.ts";

const RUNS = Number(process.env.BPFMAPD_ROLLOUT_MODEL_RUNS ?? 60);
const seed = process.env.BPFMAPD_MODEL_SEED;

/** A step of the world; numbers are places among its hosts and drivers. */
type Step = (world: World) => unknown;
interface NamedStep {
  readonly name: string;
  readonly do: Step;
}

const place = fc.nat(15);
const driver = fc.nat(1);
const fault = fc.option(fc.constantFrom<Fault>("diesBefore", "diesAfter", "lost", "answerLost"), {
  nil: undefined,
  freq: 4,
});

const plan: fc.Arbitrary<Partial<RolloutPlan>> = fc.record({
  waves: fc.constantFrom<RolloutPlan["waves"]>(
    [{ hosts: 1 }, { percent: 30 }, { percent: 100 }],
    [{ percent: 1 }, { hosts: 3, bakeMs: 8_000 }, { percent: 60 }, { percent: 100 }],
    [{ hosts: 2, bakeMs: 0 }, { percent: 100 }],
    [{ percent: 100 }],
  ),
  bakeMs: fc.constantFrom(0, 12_000, 30_000),
  maxInProgress: fc.constantFrom(undefined, 1, 3),
  progressMs: fc.constantFrom(10_000, 60_000),
  maxFailures: fc.constantFrom(0, 0, 2),
  maxUnreachable: fc.constantFrom(0, 1),
  maxDrifted: fc.constantFrom(undefined, 0, 1),
  counters: fc.constantFrom<RolloutPlan["counters"]>(
    [],
    [{ name: "drops", query: {}, of: "value", above: 10 }],
    [{ name: "drops", query: {}, of: "increase", above: 10 }],
  ),
  onFailure: fc.constantFrom("pause", "rollBack"),
});

/** A step that is told by its name and numbers, where a run fails. */
function named<T extends unknown[]>(
  name: string,
  args: { [K in keyof T]: fc.Arbitrary<T[K]> },
  step: (world: World, ...args: T) => unknown,
): fc.Arbitrary<NamedStep> {
  return fc.tuple<T>(...args).map((values) => ({
    name: `${name}(${values.map(String).join(", ")})`,
    do: (world) => step(world, ...values),
    toString: () => `${name}(${values.map(String).join(", ")})`,
  }));
}

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: named("join", [place], (world, n) => world.join(`host-${n}`)) },
    { weight: 1, arbitrary: named("leave", [place], (world, n) => world.leave(n)) },
    {
      weight: 1,
      arbitrary: named("cut", [place], (world, n) => world.change(n, { isReachable: false })),
    },
    {
      weight: 2,
      arbitrary: named("back", [place], (world, n) => world.change(n, { isReachable: true })),
    },
    {
      weight: 1,
      arbitrary: named("break", [place], (world, n) => world.change(n, { isBroken: true })),
    },
    {
      weight: 1,
      arbitrary: named("drift", [place], (world, n) => world.change(n, { hasDrifted: true })),
    },
    { weight: 6, arbitrary: named("tell", [place], (world, n) => world.tell(n)) },
    { weight: 6, arbitrary: named("obey", [place], (world, n) => world.obey(n)) },
    {
      weight: 4,
      arbitrary: named("all obey", [], (world) => {
        for (let n = 0; n < 16; n++) world.tell(n);
        for (let n = 0; n < 16; n++) world.obey(n);
      }),
    },
    {
      weight: 2,
      arbitrary: named("count", [fc.constantFrom(undefined, 0, 5, 5, 5, 11, 100)], (world, value) =>
        world.count("drops", value),
      ),
    },
    {
      weight: 6,
      arbitrary: named("pass", [fc.constantFrom(500, 3_000, 5_000, 60_000)], (world, ms) =>
        world.pass(ms),
      ),
    },
    {
      weight: 1,
      arbitrary: named("jump", [driver], (world, n) => world.jump(n, 3_600_000)),
    },
    {
      weight: 16,
      arbitrary: named("see and drive", [driver, fault], async (world, n, fault) => {
        await world.see(n);
        await world.drive(n, fault);
      }),
    },
    { weight: 3, arbitrary: named("see", [driver], (world, n) => world.see(n)) },
    {
      weight: 5,
      arbitrary: named("drive", [driver, fault], (world, n, fault) => world.drive(n, fault)),
    },
    {
      weight: 4,
      arbitrary: named("go on", [driver, fc.integer({ min: 1, max: 12 })], (world, n, rounds) =>
        world.goOn(n, rounds),
      ),
    },
    {
      weight: 1,
      arbitrary: named("control", [fc.constantFrom(...CONTROLS), fault], (world, control, fault) =>
        world.control(control, fault),
      ),
    },
    {
      weight: 2,
      arbitrary: named("resume", [], (world) => world.control("resume")),
    },
  ),
  { minLength: 20, maxLength: 120, size: "max" },
);

export function modelCases(kind: StoreKind): void {
  let fresh: FreshStore;
  let store: Store;
  beforeAll(async () => {
    fresh = await kind.fresh();
    store = await fresh.connect();
  });
  afterAll(() => fresh.dispose());

  test(
    "keep to waves, gates and controls, and end, whatever hosts and drivers do",
    async () => {
      let runs = 0;
      const hosts = fc.integer({ min: 0, max: 12 });
      const property = fc.asyncProperty(plan, hosts, steps, async (said, count, planned) => {
        const set = `set-${runs++}`;
        await begin(store, set, said);
        const world = await World.of(store, set);
        for (let n = 0; n < count; n++) world.join(`host-${n}`);
        for (const step of planned) await step.do(world);
        await world.finish();
      });
      await fc.assert(property, {
        numRuns: RUNS,
        ...(seed !== undefined && { seed: Number(seed) }),
        interruptAfterTimeLimit: 60_000 + RUNS * 1000,
        markInterruptAsFailure: true,
      });
    },
    120_000 + RUNS * 1000,
  );
}
