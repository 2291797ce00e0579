import type { Verdict } from "./validator.js";

/** Prints what a model's recordings have shown, and the first broken promises, line by line. */
export function tellVerdicts(seed: number, verdicts: readonly Verdict[]): void {
  const sums: Record<string, number> = { events: 0, calls: 0, bookmarks: 0 };
  for (const { events, calls, bookmarks, resyncs } of verdicts) {
    for (const [name, count] of Object.entries({ events, calls, bookmarks, ...resyncs })) {
      sums[name] = (sums[name] ?? 0) + count;
    }
  }
  const broken = verdicts.flatMap(({ violations }) => violations).slice(0, 20);
  console.log([`seed ${seed}: ${JSON.stringify(sums)}`, ...broken].join("\n"));
}
