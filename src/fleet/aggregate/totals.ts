import { greater, lesser } from "./bigints.js";

/** What numbers come to; the contract's `NumberTotals`. */
export interface Totals {
  readonly count: bigint;
  readonly sum: bigint;
  /** Undefined for no numbers. */
  readonly min: bigint | undefined;
  readonly max: bigint | undefined;
  /** Undefined where it was not asked for. */
  readonly histogram: Histogram | undefined;
}

/** How many numbers are how large, by powers of two. */
export interface Histogram {
  /** Numbers below 0. */
  readonly negative: bigint;
  /** Of 0, then of [1, 2), [2, 4), [4, 8) and so on. */
  readonly buckets: readonly bigint[];
}

/** The totals of no numbers. */
export const NO_NUMBERS: Totals = {
  count: 0n,
  sum: 0n,
  min: undefined,
  max: undefined,
  histogram: undefined,
};

/** The totals of the numbers of both: in any order and any grouping the same. */
export function addTotals(a: Totals, b: Totals): Totals {
  return {
    count: a.count + b.count,
    sum: a.sum + b.sum,
    min: oneOf(a.min, b.min, lesser),
    max: oneOf(a.max, b.max, greater),
    histogram: oneOf(a.histogram, b.histogram, addHistograms),
  };
}

function oneOf<T>(a: T | undefined, b: T | undefined, choose: (a: T, b: T) => T): T | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : choose(a, b);
}

function addHistograms(a: Histogram, b: Histogram): Histogram {
  const length = Math.max(a.buckets.length, b.buckets.length);
  return {
    negative: a.negative + b.negative,
    buckets: Array.from({ length }, (_, at) => (a.buckets[at] ?? 0n) + (b.buckets[at] ?? 0n)),
  };
}
