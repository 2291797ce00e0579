import { recordOf } from "./catalogue.js";
import type { CpuView } from "./columns.js";
import { viewedValueSize } from "./cpu-slots.js";
import { checkCpu, requireKeyedOperation } from "./element-check.js";
import { fieldError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import type { MapRecord } from "./map-record.js";
import type { MapRef } from "./map-ref.js";
import type { OpenMap } from "./open-map.js";
import { openMap } from "./resolve.js";
import type { ChunkRoom } from "./scan/chunk.js";
import type { Projection } from "./scan/chunk-builder.js";
import type { DumpArgs, DumpOutput, DumpSummary } from "./scan/dump-job.js";
import { checkFilter, type ElementFilter } from "./scan/element-filter.js";
import { scanTarget } from "./scan/scan-target.js";

/** What to dump; the contract's `DumpMapRequest`. */
export interface DumpRequest {
  readonly map: MapRef;
  readonly filter?: ElementFilter | undefined;
  readonly projection: Projection;
  readonly cpuView?: CpuView | undefined;
  /** Payload of a chunk to aim at, in bytes. */
  readonly chunkBytes?: number | undefined;
  readonly maxElements?: number | undefined;
  readonly maxElementsPerSecond?: number | undefined;
  readonly progressIntervalMs?: number | undefined;
  readonly room: ChunkRoom;
}

/** One step of a dump: a header, then chunks and progress, then a summary. */
export type DumpItem =
  | { readonly kind: "header"; readonly map: MapRecord; readonly valueStride: number }
  | DumpOutput
  | { readonly kind: "summary"; readonly summary: DumpSummary };

/** A megabyte is the best for streams of large elements, and no worse for small ones. */
const DEFAULT_CHUNK_BYTES = 1 << 20;

/** Reads all elements of a map in a scan thread, at the pace of the consumer. */
export async function* dumpMap(
  host: MapHost,
  request: DumpRequest,
  signal: AbortSignal,
): AsyncGenerator<DumpItem> {
  const map = await openMap(host, request.map);
  try {
    const args = dumpArgs(host, map, request);
    const values = request.projection !== "keys";
    const valueStride = values ? viewedValueSize(map.layout, request.cpuView) : 0;
    yield { kind: "header", map: recordOf(host, map), valueStride };
    const summary: DumpSummary = yield* host.threads.run<DumpOutput, DumpSummary>(
      "dump",
      args,
      signal,
    );
    yield { kind: "summary", summary };
  } catch (error) {
    throw map.named(error);
  } finally {
    map.close();
  }
}

function dumpArgs(host: MapHost, map: OpenMap, request: DumpRequest): DumpArgs {
  requireWalkable(host, map);
  checkFilter(request.filter, map.layout);
  checkCpu(map, request.cpuView, "cpu_view");
  if (request.cpuView && request.projection === "keys") {
    throw fieldError("FIELD_INVALID", "cpu_view", "a dump of keys only has no values to view");
  }
  return {
    target: scanTarget(host, map),
    filter: request.filter,
    projection: request.projection,
    cpuView: request.cpuView,
    room: request.room,
    chunkBytes: request.chunkBytes || DEFAULT_CHUNK_BYTES,
    maxElements: request.maxElements ?? 0,
    maxElementsPerSecond: request.maxElementsPerSecond ?? 0,
    progressIntervalMs: request.progressIntervalMs ?? 0,
    dedupMemoryBytes: host.limits.dedupMemoryBytes,
  };
}

/** Refuses maps whose elements cannot be listed and read. */
export function requireWalkable(host: MapHost, map: OpenMap): void {
  requireKeyedOperation(host.capabilities, map, "next_key");
  requireKeyedOperation(host.capabilities, map, "lookup");
}
