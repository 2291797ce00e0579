import { recordOf } from "./catalogue.js";
import type { Columns, CpuView } from "./columns.js";
import { viewedValueSize } from "./cpu-slots.js";
import { checkCpu, requireKeyedOperation } from "./element-check.js";
import { type ElementDecoder, elementDecoder } from "./element-decoder.js";
import type { ElementsAnswer, Reading } from "./element-input.js";
import { hasInnerMaps, openInner } from "./inner-map.js";
import { fieldError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import type { MapRecord } from "./map-record.js";
import type { MapRef } from "./map-ref.js";
import { isUnreadable } from "./objects/value-kind.js";
import type { OpenMap } from "./open-map.js";
import { openMap } from "./resolve.js";
import { type ChunkRoom, columnsOf } from "./scan/chunk.js";
import type { Projection } from "./scan/chunk-builder.js";
import { type DumpArgs, type DumpOutput, type DumpSummary, dumpJob } from "./scan/dump-job.js";
import { checkFilter, type ElementFilter } from "./scan/element-filter.js";
import { scanTarget } from "./scan/scan-target.js";
import { Handover } from "./threads/job-message.js";
import { Returns } from "./threads/returns.js";
import type { ElementOrder } from "./typing/field-condition.js";
import { requestShapes } from "./typing/request-shapes.js";

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
  readonly reading?: Reading | undefined;
  /** Send the first elements of this order instead of all, once all have been read. */
  readonly order?: ElementOrder | undefined;
  /** Then dump each inner map of a map in map, whole. */
  readonly recursive?: boolean | undefined;
}

/**
 * One step of a dump: a header, then chunks and progress, then a summary. Chunks come as
 * elements where they are more than the bytes of the map.
 */
export type DumpItem =
  | {
      readonly kind: "header";
      readonly map: MapRecord;
      readonly valueStride: number;
      /** Of an inner map: the key in the outer map that it stands under. */
      readonly outerKey?: Uint8Array | undefined;
    }
  | DumpOutput
  | { readonly kind: "elements"; readonly elements: ElementsAnswer }
  | { readonly kind: "summary"; readonly summary: DumpSummary };

/** A megabyte is the best for streams of large elements, and no worse for small ones. */
const DEFAULT_CHUNK_BYTES = 1 << 20;
/** Most that a map may hold to be dumped where single calls are answered. */
const SMALL_BYTES = 32 << 10;

/** Bytes of a chunk that is decoded, so that the answer fits any peer's limit of messages. */
const MAX_DECODED = 128 << 10;

/** Reads all elements of a map in a scan thread, at the pace of the consumer. */
export async function* dumpMap(
  host: MapHost,
  request: DumpRequest,
  signal: AbortSignal,
): AsyncGenerator<DumpItem> {
  const map = await openMap(host, request.map);
  try {
    const summary = request.recursive
      ? yield* dumpRecursively(host, map, request, signal)
      : yield* dumpOpen(host, map, request, signal);
    yield { kind: "summary", summary };
  } catch (error) {
    throw map.named(error);
  } finally {
    map.close();
  }
}

/** An open map's header, chunks and progress. */
async function* dumpOpen(
  host: MapHost,
  map: OpenMap,
  request: DumpRequest,
  signal: AbortSignal,
  { outerKey, onChunk }: NestedDump = {},
): AsyncGenerator<DumpItem, DumpSummary> {
  // JSON is made in the scan thread.
  const isJson = (request.reading?.format ?? "bytes") !== "bytes";
  const decode = isJson ? undefined : await elementDecoder(host, map, request);
  const args = dumpArgs(host, map, decode ? withSmallChunks(request) : request);
  const values = request.projection !== "keys";
  const valueStride = values ? viewedValueSize(map.layout, request.cpuView) : 0;
  yield {
    kind: "header",
    map: recordOf(host, map),
    valueStride,
    ...(outerKey !== undefined && { outerKey }),
  };
  if (!decode && !onChunk) return yield* dumpedChunks(host, args, signal);
  const outputs = host.threads.run<DumpOutput, DumpSummary>("dump", args, signal);
  return yield* throughColumns(outputs, request.room, decode, onChunk);
}

/** A dump whose chunks' memory goes back to the thread when it has been sent. */
async function* dumpedChunks(
  host: MapHost,
  args: DumpArgs,
  signal: AbortSignal,
): AsyncGenerator<DumpItem, DumpSummary> {
  const spent = new Returns<Handover>();
  const outputs = isSmall(args)
    ? host.threads.runHere<DumpOutput, DumpSummary>(dumpJob, args, signal, spent)
    : host.threads.run<DumpOutput, DumpSummary>("dump", args, signal, spent);
  try {
    for (;;) {
      const { done, value } = await outputs.next();
      if (done) return value;
      if (value.kind === "chunk") {
        const memory = value.chunk.buffer.buffer as ArrayBuffer;
        yield {
          kind: "chunk",
          chunk: { ...value.chunk, giveBack: () => spent.add(new Handover(memory, [memory])) },
        };
      } else {
        yield value;
      }
    }
  } finally {
    spent.end();
    await outputs.return(undefined as never);
  }
}

/**
 * Whether a dump is one short system call, which takes less than asking another thread for it:
 * about as much as a lookup of as many keys.
 */
function isSmall({ target, texts, order, maxElementsPerSecond }: DumpArgs): boolean {
  const { keySize, valueStride, maxEntries } = target.layout;
  const bytes = maxEntries * (keySize + valueStride);
  const isOneCall = target.lookupBatch && target.keyKind !== "prefix";
  return isOneCall && bytes <= SMALL_BYTES && !texts && !order && maxElementsPerSecond === 0;
}

/** Decoded elements are several times larger than their bytes. */
function withSmallChunks(request: DumpRequest): DumpRequest {
  return { ...request, chunkBytes: Math.min(request.chunkBytes ?? MAX_DECODED, MAX_DECODED) };
}

/** What a recursive dump adds to a dump of one map. */
interface NestedDump {
  readonly outerKey?: Uint8Array;
  /** Sees the columns of each chunk before they go on. */
  readonly onChunk?: (columns: Columns) => void;
}

/** The outer map's, then each inner map's with a summary of its own. */
async function* dumpRecursively(
  host: MapHost,
  outer: OpenMap,
  request: DumpRequest,
  signal: AbortSignal,
): AsyncGenerator<DumpItem, DumpSummary> {
  if (!hasInnerMaps(outer)) {
    const why = `${outer.label} has no inner maps: leave it out`;
    throw fieldError("FIELD_INVALID", "recursive", why);
  }
  if (request.projection === "values") {
    const why = "a recursive dump needs the keys, to tell the inner maps apart";
    throw fieldError("FIELD_INVALID", "projection", why);
  }
  const keys: Uint8Array[] = [];
  // What is said of values, and how they are told, is meant for those of the inner maps.
  const { cpuView: ___, order: ____, reading: _____, ...outerRequest } = request;
  const summary = yield* dumpOpen(host, outer, outerRequest, signal, {
    onChunk: (columns) => keys.push(...keysOf(outer, columns)),
  });
  // The filter and the limit choose inner maps; these are dumped whole.
  const { filter: _, maxElements: __, ...whole } = request;
  for (const key of keys) {
    const inner = openInner(host, outer, key);
    if (!inner) continue; // removed since
    try {
      await request.map.access?.admit(inner);
      const dumped = yield* dumpOpen(host, inner, whole, signal, { outerKey: key });
      yield { kind: "summary", summary: dumped };
    } catch (error) {
      throw inner.named(error);
    } finally {
      inner.close();
    }
  }
  return summary;
}

function* keysOf({ layout }: OpenMap, { count, keys }: Columns): Generator<Uint8Array> {
  const { keySize } = layout;
  for (let index = 0; index < count; index++) {
    yield Uint8Array.from(keys.subarray(index * keySize, (index + 1) * keySize));
  }
}

/** The outputs with the columns of each chunk seen, and decoded. */
async function* throughColumns(
  outputs: AsyncGenerator<DumpOutput, DumpSummary>,
  room: ChunkRoom,
  decode: ElementDecoder | undefined,
  onChunk: ((columns: Columns) => void) | undefined,
): AsyncGenerator<DumpItem, DumpSummary> {
  try {
    for (;;) {
      const step = await outputs.next();
      if (step.done) return step.value;
      const output = step.value;
      const columns = output.kind === "chunk" ? columnsOf(output.chunk, room) : undefined;
      if (columns) onChunk?.(columns);
      if (columns && decode) yield { kind: "elements", elements: decode(columns) };
      else yield output;
    }
  } finally {
    await outputs.return(undefined as never);
  }
}

function dumpArgs(host: MapHost, map: OpenMap, request: DumpRequest): DumpArgs {
  requireListable(host, map);
  checkFilter(request.filter, map.layout);
  checkCpu(map, request.cpuView, "cpu_view");
  if (request.cpuView && request.projection === "keys") {
    throw fieldError("FIELD_INVALID", "cpu_view", "a dump of keys only has no values to view");
  }
  const shapes = requestShapes(host, map, request);
  const format = request.reading?.format ?? "bytes";
  return {
    target: scanTarget(host, map),
    shapes,
    order: request.order,
    texts: shapes && format !== "bytes" ? { shapes, bytes: format === "both" } : undefined,
    filter: request.filter,
    projection: request.projection,
    cpuView: request.cpuView,
    room: request.room,
    chunkBytes: request.chunkBytes || DEFAULT_CHUNK_BYTES,
    maxElements: request.maxElements ?? 0,
    maxElementsPerSecond: request.maxElementsPerSecond ?? 0,
    progressIntervalMs: request.progressIntervalMs ?? 0,
    dedupMemoryBytes: host.limits.dedupMemoryBytes,
    orderMemoryBytes: host.limits.replaceMemoryBytes,
  };
}

/** Refuses maps whose elements cannot be listed and read. */
export function requireWalkable(host: MapHost, map: OpenMap): void {
  requireKeyedOperation(host.capabilities, map, "next_key");
  requireKeyedOperation(host.capabilities, map, "lookup");
}

/** Refuses maps whose elements cannot be listed, though perhaps not read. */
export function requireListable(host: MapHost, map: OpenMap): void {
  requireKeyedOperation(host.capabilities, map, "next_key");
  if (!isUnreadable(map.info)) requireKeyedOperation(host.capabilities, map, "lookup");
}
