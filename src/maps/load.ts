import type { Columns, CpuTarget } from "./columns.js";
import { requireWalkable } from "./dump.js";
import {
  checkCpu,
  checkKeys,
  checkValues,
  requireKeyedOperation,
  requirePlainValues,
} from "./element-check.js";
import { fieldError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import { isKeyless } from "./map-layout.js";
import type { MapRef } from "./map-ref.js";
import type { OpenMap } from "./open-map.js";
import { pushValues } from "./queues.js";
import { withMap } from "./resolve.js";
import type { LoadArgs, LoadResult } from "./scan/load-input.js";
import { scanTarget } from "./scan/scan-target.js";
import { resultOf } from "./threads/thread-pool.js";

/** What a load does; the contract's `LoadStart`. */
export interface LoadStart {
  readonly map: MapRef;
  readonly strategy: "merge" | "replace";
  readonly dryRun: boolean;
  /** Only `allCpus`, or absent for whole values. */
  readonly cpuTarget?: CpuTarget | undefined;
}

/** Writes a stream of elements into a map, in a scan thread. */
export async function loadMap(
  host: MapHost,
  start: LoadStart,
  chunks: AsyncIterable<Columns>,
  signal: AbortSignal,
): Promise<LoadResult> {
  const load = (map: OpenMap) => {
    if (isKeyless(map.info.type)) return pushAll(map, start, chunks);
    checkLoad(host, map, start);
    const args: LoadArgs = {
      target: scanTarget(host, map),
      strategy: start.strategy,
      dryRun: start.dryRun,
      cpuTarget: start.cpuTarget,
      dedupMemoryBytes: host.limits.dedupMemoryBytes,
      replaceMemoryBytes: host.limits.replaceMemoryBytes,
    };
    return host.writing(map, undefined, () =>
      resultOf(host.threads.run<never, LoadResult>("load", args, signal, chunks)),
    );
  };
  return withMap(host, start.map, load, "start.map");
}

function checkLoad(host: MapHost, map: OpenMap, start: LoadStart): void {
  requireKeyedOperation(host.capabilities, map, "update");
  requirePlainValues(host.capabilities, map);
  if (start.strategy === "replace" || start.dryRun) requireWalkable(host, map);
  checkCpu(map, start.cpuTarget, "start.cpu_target");
  if (start.cpuTarget && "cpu" in start.cpuTarget) {
    throw fieldError(
      "FIELD_INVALID",
      "start.cpu_target.cpu",
      "a load writes all CPUs, or whole values",
    );
  }
}

/** Pushes a stream of values into a queue, a stack or a bloom filter. */
async function pushAll(
  map: OpenMap,
  start: LoadStart,
  chunks: AsyncIterable<Columns>,
): Promise<LoadResult> {
  if (start.strategy !== "merge" || start.dryRun) {
    const field = start.dryRun ? "start.dry_run" : "start.strategy";
    throw fieldError(
      "FIELD_INVALID",
      field,
      `${map.label} has no keys: only MERGE, without dry_run`,
    );
  }
  checkCpu(map, start.cpuTarget, "start.cpu_target");
  let received = 0;
  for await (const { count, keys, values } of chunks) {
    checkKeys(keys, count, map.layout, "elements.keys");
    checkValues(values, count, map.layout.valueSize, "elements.values");
    received += await pushValues(map, values, false, received);
  }
  return { received, written: received };
}
