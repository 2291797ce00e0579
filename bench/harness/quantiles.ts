/** What a distribution is told by, in the unit of what was measured. */
export interface Quantiles {
  p50: number;
  p90: number;
  p99: number;
}

export function quantiles(amounts: readonly number[]): Quantiles {
  const sorted = [...amounts].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
