import { z } from "zod";
import { invalidField } from "./rollout-error.js";

const count = z.int().nonnegative();
const bound = z.number();

/** So many hosts, those of the waves before included: a number, or percent of those that match. */
const wave = z.union([
  z.strictObject({ hosts: z.int().positive(), bakeMs: count.optional() }),
  z.strictObject({ percent: z.number().gt(0).lte(100), bakeMs: count.optional() }),
]);

const counterGate = z.strictObject({
  /** For people, and to tell it from the others. */
  name: z.string().min(1).max(63),
  /** What is summed over the hosts that have the new generation, as the contract's JSON. */
  query: z.json(),
  /** Its value, or by how much it has grown since all hosts of the wave had the generation. */
  of: z.enum(["value", "increase"]),
  /** It fails where the number is greater. */
  above: bound.optional(),
  /** It fails where the number is smaller. */
  below: bound.optional(),
});

const plan = z.strictObject({
  waves: z.array(wave).min(1).max(32),
  /** How long a wave is looked at before the next one, unless it says so itself. */
  bakeMs: count,
  /** Hosts that are changed at a time; absent for as many as the wave has. */
  maxInProgress: z.int().positive().optional(),
  /** How long a wave may go on without a further host that is done, before its gate fails. */
  progressMs: z.int().positive(),
  /** Hosts that may fail to apply the generation. */
  maxFailures: count,
  /** Hosts that may be out of reach since they were told to apply it. */
  maxUnreachable: count,
  /** Hosts whose maps others may have changed since; absent for any number. */
  maxDrifted: count.optional(),
  counters: z.array(counterGate).max(16),
  onFailure: z.enum(["pause", "rollBack"]),
});

/** How a generation is rolled out. Plain data; times in milliseconds. */
export type RolloutPlan = z.infer<typeof plan>;
/** One step of a rollout: how many hosts have the generation at its end. */
export type Wave = z.infer<typeof wave>;
/** A bound on a number that is summed over hosts. */
export type CounterGate = z.infer<typeof counterGate>;
export const planSchema = plan;

/** One host, 1 %, 10 %, all; a minute after each; the first failure pauses. */
export const DEFAULT_PLAN: RolloutPlan = {
  waves: [{ hosts: 1 }, { percent: 1 }, { percent: 10 }, { percent: 100 }],
  bakeMs: 60_000,
  progressMs: 600_000,
  maxFailures: 0,
  maxUnreachable: 0,
  counters: [],
  onFailure: "pause",
};

/** What is said of a rollout, with what is not said as usual. INVALID_ARGUMENT. */
export function completePlan(said: Partial<RolloutPlan>): RolloutPlan {
  const defined = Object.fromEntries(Object.entries(said).filter(([, one]) => one !== undefined));
  const read = plan.safeParse({ ...DEFAULT_PLAN, ...defined });
  if (!read.success) {
    const { path, message } = read.error.issues[0]!;
    throw invalidField(fieldOf(path), message);
  }
  checkWaves(read.data.waves);
  checkCounters(read.data.counters);
  return read.data;
}

/** How many hosts a wave has, of so many that match; Infinity for all, those to come included. */
export function sizeOf(wave: Wave, matched: number): number {
  if ("hosts" in wave) return wave.hosts;
  if (wave.percent === 100) return Number.POSITIVE_INFINITY;
  // What is a little more than a whole number is so by the arithmetic of halves only.
  return Math.ceil(Number(((wave.percent * matched) / 100).toFixed(6)));
}

function checkWaves(waves: readonly Wave[]): void {
  const last = waves.at(-1)!;
  if (!("percent" in last) || last.percent !== 100) {
    throw invalidField("waves", "the last wave must have 100 percent of the hosts");
  }
  for (const [index, one] of waves.entries()) {
    const before = waves[index - 1];
    if (before === undefined) continue;
    const isSmaller =
      "hosts" in one
        ? "hosts" in before && one.hosts <= before.hosts
        : "percent" in before && one.percent <= before.percent;
    if (isSmaller) {
      throw invalidField(`waves[${index}]`, "a wave must have more hosts than the one before it");
    }
  }
}

function checkCounters(counters: readonly CounterGate[]): void {
  const names = new Set<string>();
  for (const [index, { name, above, below }] of counters.entries()) {
    const field = `counters[${index}]`;
    if (names.has(name)) throw invalidField(`${field}.name`, `there are two gates "${name}"`);
    names.add(name);
    if (above === undefined && below === undefined) {
      throw invalidField(field, "a gate needs a bound: above, below, or both");
    }
    if (above !== undefined && below !== undefined && below > above) {
      throw invalidField(field, "no number is neither above nor below these bounds");
    }
  }
}

function fieldOf(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) =>
      typeof part === "number" ? `[${part}]` : (index === 0 ? "" : ".") + String(part),
    )
    .join("");
}
