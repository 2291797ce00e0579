import type { JobContext } from "../threads/job-context.js";
import type { ElementShapes } from "../typing/field-path.js";
import { compileFilter, type ElementFilter } from "./element-filter.js";
import { MAX_RESTARTS, openSource } from "./element-source.js";
import type { ScanTarget } from "./scan-target.js";
import { stretchFor } from "./stretch.js";

/** What to count. Plain data. */
export interface CountArgs {
  readonly target: ScanTarget;
  readonly filter?: ElementFilter | undefined;
  /** What elements are made of; needed for conditions on fields. */
  readonly shapes?: ElementShapes | undefined;
  readonly dedupMemoryBytes: number;
}

/** Counts the chosen elements of a map. */
export async function countJob(
  { target, filter, shapes, dedupMemoryBytes }: CountArgs,
  context: JobContext,
): Promise<{ count: number; complete: boolean }> {
  const { keySize, valueStride } = target.layout;
  const isChosen = compileFilter(filter, target.layout, target.keyKind, shapes);
  const stretch = stretchFor(target.layout);
  const source = openSource(target, { stretch, dedupMemoryBytes, maxRestarts: MAX_RESTARTS });
  let count = 0;
  try {
    while (source.next()) {
      if (!isChosen) count += source.count;
      for (let index = 0; isChosen && index < source.count; index++) {
        if (isChosen(source.keys, index * keySize, source.values, index * valueStride)) count++;
      }
      await context.turn();
    }
    return { count, complete: source.stats.incomplete === undefined };
  } finally {
    source.release();
  }
}
