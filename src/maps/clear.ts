import { requireListable } from "./dump.js";
import { requireKeyedOperation } from "./element-check.js";
import type { MapHost } from "./map-host.js";
import { isFixed, isQueueOrStack } from "./map-layout.js";
import type { MapRef } from "./map-ref.js";
import { drain } from "./queues.js";
import { withMap } from "./resolve.js";
import type { ClearArgs } from "./scan/clear-job.js";
import { scanTarget } from "./scan/scan-target.js";
import { resultOf } from "./threads/thread-pool.js";

/** Removes every element of a map; sets those of an array to zero. */
export async function clearMap(
  host: MapHost,
  ref: MapRef,
  signal: AbortSignal,
): Promise<{ removed: number }> {
  return withMap(host, ref, async (map) => {
    if (isQueueOrStack(map.info.type)) return { removed: await drain(map, signal) };
    requireListable(host, map);
    requireKeyedOperation(host.capabilities, map, isFixed(map.info.type) ? "update" : "delete");
    const { dedupMemoryBytes } = host.limits;
    const args: ClearArgs = { target: scanTarget(host, map), dedupMemoryBytes };
    const answer = await host.writing(map, undefined, () =>
      resultOf(host.threads.run<never, { removed: number }>("clear", args, signal)),
    );
    host.kept.drop(map.info.id);
    return answer;
  });
}
