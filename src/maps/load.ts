import type { Columns, CpuTarget } from "./columns.js";
import { requireWalkable } from "./dump.js";
import { checkCpu, requireKeyedOperation } from "./element-check.js";
import { withElements } from "./element-encoder.js";
import type { ElementsInput, Typing } from "./element-input.js";
import { loadObjects, namesObjects } from "./load-objects.js";
import { fieldError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import { isKeyless } from "./map-layout.js";
import type { MapRef } from "./map-ref.js";
import type { OpenMap } from "./open-map.js";
import { pushValues } from "./queues.js";
import { replaceInnerMap } from "./replace-inner-map.js";
import { withMap } from "./resolve.js";
import type { LoadArgs, LoadResult } from "./scan/load-input.js";
import { scanTarget } from "./scan/scan-target.js";
import { Handover } from "./threads/job-message.js";
import { ownMemory } from "./threads/own-memory.js";
import { resultOf } from "./threads/thread-pool.js";

/** What a load does; the contract's `LoadStart`. */
export interface LoadStart {
  readonly map: MapRef;
  readonly strategy: "merge" | "replace" | "replace_atomic";
  readonly dryRun: boolean;
  /** Only `allCpus`, or absent for whole values. */
  readonly cpuTarget?: CpuTarget | undefined;
  readonly typing?: Typing | undefined;
  /** For "replace_atomic": the key of the inner map's slot. */
  readonly outerKey?: Uint8Array | undefined;
}

/** A load into the map itself. */
export type PlainLoadStart = LoadStart & { readonly strategy: "merge" | "replace" };

/** Writes a stream of elements into a map, in a scan thread. */
export async function loadMap(
  host: MapHost,
  start: LoadStart,
  chunks: AsyncIterable<ElementsInput>,
  signal: AbortSignal,
): Promise<LoadResult> {
  const load = (map: OpenMap) => {
    if (start.strategy === "replace_atomic") return replaceInner(host, map, start, chunks, signal);
    if (start.outerKey) {
      throw fieldError("FIELD_INVALID", "start.outer_key", "only REPLACE_ATOMIC has one");
    }
    return loadInto(host, map, { ...start, strategy: start.strategy }, chunks, signal);
  };
  return withMap(host, start.map, load, "start.map");
}

/** Fills a new inner map with the stream and puts it into its slot of the outer map. */
function replaceInner(
  host: MapHost,
  outer: OpenMap,
  start: LoadStart,
  chunks: AsyncIterable<ElementsInput>,
  signal: AbortSignal,
): Promise<LoadResult> {
  return replaceInnerMap(host, outer, start, (inner, strategy) =>
    loadInto(host, inner, { ...start, strategy }, chunks, signal),
  );
}

/** Writes a stream of elements into an open map. */
async function loadInto(
  host: MapHost,
  map: OpenMap,
  start: PlainLoadStart,
  chunks: AsyncIterable<ElementsInput>,
  signal: AbortSignal,
): Promise<LoadResult> {
  if (isKeyless(map.info.type)) return pushAll(host, map, start, chunks);
  checkLoad(host, map, start);
  if (namesObjects(host, map)) return loadObjects(host, map, start, chunks);
  const args: LoadArgs = {
    target: scanTarget(host, map),
    strategy: start.strategy,
    dryRun: start.dryRun,
    evicts: host.capabilities.of(map.info.type)?.evicts ?? false,
    cpuTarget: start.cpuTarget,
    dedupMemoryBytes: host.limits.dedupMemoryBytes,
    replaceMemoryBytes: host.limits.replaceMemoryBytes,
  };
  const encoded = handedOver(encodedChunks(host, map, start, chunks));
  return host.writing(map, undefined, () =>
    resultOf(host.threads.run<never, LoadResult>("load", args, signal, encoded)),
  );
}

/** Large chunks go to the scan thread without a copy: nothing looks at them here any more. */
async function* handedOver(chunks: AsyncIterable<Columns>): AsyncGenerator<Handover> {
  for await (const columns of chunks) {
    yield new Handover(columns, ownMemory([columns.keys, columns.values]));
  }
}

function checkLoad(host: MapHost, map: OpenMap, start: PlainLoadStart): void {
  requireKeyedOperation(host.capabilities, map, "update");
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

/** The chunks as columns of the map's bytes, each checked whole before it is used. */
async function* encodedChunks(
  host: MapHost,
  map: OpenMap,
  { typing, cpuTarget: target }: LoadStart,
  chunks: AsyncIterable<ElementsInput>,
): AsyncGenerator<Columns> {
  const options = { typing, target, field: "elements" };
  for await (const chunk of chunks) {
    yield await withElements(host, map, chunk, options, (columns) => columns);
  }
}

/** Pushes a stream of values into a queue, a stack or a bloom filter. */
async function pushAll(
  host: MapHost,
  map: OpenMap,
  start: LoadStart,
  chunks: AsyncIterable<ElementsInput>,
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
  for await (const { values } of encodedChunks(host, map, start, chunks)) {
    received += await pushValues(map, values, false, received);
  }
  return { received, written: received };
}
