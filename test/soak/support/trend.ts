/** The middle one of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

/**
 * By how much numbers that were taken at equal intervals grow from the first to the last: the
 * median of the slopes between any two of them (Theil and Sen), which a quarter of outliers
 * does not change.
 */
export function growth(values: readonly number[]): number {
  const slopes = values.flatMap((from, index) =>
    values.slice(index + 1).map((to, distance) => (to - from) / (distance + 1)),
  );
  return median(slopes) * (values.length - 1);
}
