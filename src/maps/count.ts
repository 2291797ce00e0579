import { requireListable } from "./dump.js";
import type { Typing } from "./element-input.js";
import type { MapHost } from "./map-host.js";
import { isFixed } from "./map-layout.js";
import type { MapRef } from "./map-ref.js";
import { withMap } from "./resolve.js";
import type { CountArgs } from "./scan/count-job.js";
import { checkFilter, type ElementFilter } from "./scan/element-filter.js";
import { scanTarget } from "./scan/scan-target.js";
import { resultOf } from "./threads/thread-pool.js";
import { requestShapes } from "./typing/request-shapes.js";

/** How many elements a map has. */
export interface ElementCount {
  readonly count: number;
  readonly maxEntries: number;
  /** Whether every element that stood still meanwhile was counted. */
  readonly complete: boolean;
}

/** Counts a map's elements in a scan thread; those of arrays always exist. */
export async function countElements(
  host: MapHost,
  ref: MapRef,
  filter: ElementFilter | undefined,
  signal: AbortSignal,
  typing?: Typing,
): Promise<ElementCount> {
  return withMap(host, ref, async (map) => {
    requireListable(host, map);
    checkFilter(filter, map.layout);
    const shapes = requestShapes(host, map, { filter, reading: { typing } });
    const { maxEntries } = map.layout;
    if (!filter && isFixed(map.info.type)) return { count: maxEntries, maxEntries, complete: true };
    const { dedupMemoryBytes } = host.limits;
    const args: CountArgs = { target: scanTarget(host, map), filter, shapes, dedupMemoryBytes };
    const job = host.threads.run<never, Omit<ElementCount, "maxEntries">>("count", args, signal);
    return { ...(await resultOf(job)), maxEntries };
  });
}
