/** What a counter stood at on a host, and when. */
export interface CounterSample {
  /** With the map's id, which map it was. */
  readonly bootId: string;
  readonly mapId: number;
  /** When it was read, in milliseconds since the epoch by the host's clock. */
  readonly timeMs: number;
  /** The same by a clock that counts from the host's boot and that nobody sets. */
  readonly monotonicMs: number;
  readonly sum: bigint;
}

/** What was counted between two samples of a host. */
export interface CounterStep {
  /** Never below 0. */
  readonly by: bigint;
  /** Undefined where the host's clock cannot tell. */
  readonly seconds: number | undefined;
  /**
   * `grown`: the counter went on. `reset`: the map was made anew, or the host has booted, so
   * that it began at 0 and what was counted before that is lost. `fell`: it is the same map,
   * and has less: elements were removed or written anew, so that what was counted is not
   * known.
   */
  readonly kind: "grown" | "reset" | "fell";
}

/** The step from one sample of a host to a later one. */
export function counterStep(before: CounterSample, after: CounterSample): CounterStep {
  const seconds = secondsBetween(before, after);
  if (before.bootId !== after.bootId || before.mapId !== after.mapId) {
    return { kind: "reset", by: after.sum > 0n ? after.sum : 0n, seconds };
  }
  const by = after.sum - before.sum;
  return by < 0n ? { kind: "fell", by: 0n, seconds } : { kind: "grown", by, seconds };
}

function secondsBetween(before: CounterSample, after: CounterSample): number | undefined {
  const ms =
    before.bootId === after.bootId
      ? after.monotonicMs - before.monotonicMs
      : after.timeMs - before.timeMs;
  return ms > 0 ? ms / 1000 : undefined;
}

/** What was counted on several hosts. */
export interface FleetStep {
  readonly by: bigint;
  /** The hosts' rates added up, each by its own clock. */
  readonly perSecond: number;
  /** Hosts that are in it: they have answered twice. */
  readonly hosts: number;
  /** Of them, those whose map was made anew. */
  readonly resets: number;
  /** Of them, those whose counter fell. */
  readonly fell: number;
}

/** The steps of several hosts as one. */
export function addSteps(steps: readonly CounterStep[]): FleetStep {
  const rates = steps.map(({ by, seconds }) => (seconds ? Number(by) / seconds : 0));
  return {
    by: steps.reduce((sum, { by }) => sum + by, 0n),
    // Smallest first: the sum of floats depends on the order, and hosts answer in any.
    perSecond: rates.sort((a, b) => a - b).reduce((sum, rate) => sum + rate, 0),
    hosts: steps.length,
    resets: steps.filter(({ kind }) => kind === "reset").length,
    fell: steps.filter(({ kind }) => kind === "fell").length,
  };
}
