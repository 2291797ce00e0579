/** How one cost grows with one cause. */
export interface Series {
  /** What is done. */
  name: string;
  /** As the axis says it: "elements". */
  cause: string;
  cost: "seconds" | "MiB" | "cores";
  points: Point[];
  /** Exponent of the power of the cause that fits all points best: 1 is linear. */
  exponent: number;
  /** The same between the last two points, where a cost that does not grow counts least. */
  lastExponent: number;
}

export type Point = readonly [cause: number, cost: number];

export function series(of: Pick<Series, "name" | "cause" | "cost">, points: Point[]): Series {
  return {
    ...of,
    points: points.map(([cause, cost]) => [cause, Number(cost.toPrecision(4))] as const),
    exponent: exponentOf(points),
    lastExponent: exponentOf(points.slice(-2)),
  };
}

/** Least squares over the logarithms. */
function exponentOf(points: Point[]): number {
  const logs = points.map(([cause, cost]) => [Math.log(cause), Math.log(cost)] as const);
  const mean = (at: 0 | 1) => logs.reduce((sum, log) => sum + log[at], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const over = logs.reduce((sum, log) => sum + (log[0] - x) * (log[1] - y), 0);
  const under = logs.reduce((sum, log) => sum + (log[0] - x) ** 2, 0);
  return Number((over / under).toFixed(2));
}

/** Both fits of what grows faster are noise below this. */
const LINEAR = 1.1;

export function isWorseThanLinear({ exponent, lastExponent }: Series): boolean {
  return exponent > LINEAR || lastExponent > LINEAR;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
