/* Math has none of these for bigints. */

/** The lesser of two numbers. */
export function lesser(a: bigint, b: bigint): bigint {
  if (b < a) return b;
  return a;
}

/** The greater of two numbers. */
export function greater(a: bigint, b: bigint): bigint {
  if (b > a) return b;
  return a;
}

/** -1, 0 or 1, as `a` is less than, equal to or greater than `b`. */
export function compareNumbers(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
