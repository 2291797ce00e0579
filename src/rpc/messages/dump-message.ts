import {
  type DumpMapRequest,
  type DumpMapResponseSchema,
  type DumpSummarySchema,
  IncompleteReason,
  Projection,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { DumpItem, DumpRequest, DumpSummary, MapAccess } from "../../maps/index.js";
import { DUMP_CHUNK_OVERHEAD, DUMP_CHUNK_ROOM, encodeDumpChunk } from "./dump-frame.js";
import { elementsMessage, toCpuView, toElementFilter, toReading } from "./element-message.js";
import { toElementOrder } from "./field-message.js";
import { mapMessage } from "./map-message.js";
import { toMapRef } from "./map-ref-message.js";

/** Chunks of this size go fastest; see bench/. */
const DEFAULT_CHUNK_BYTES = 1024 * 1024;

/** What a request to dump asks of the maps floor. */
export function toDumpRequest(
  request: DumpMapRequest,
  maxMessageBytes: number,
  access: MapAccess | undefined,
): DumpRequest {
  const filter = toElementFilter(request.filter);
  const cpuView = toCpuView(request.cpuView);
  const { maxElements, maxElementsPerSecond, progressInterval } = request;
  return {
    map: toMapRef(request.map, access),
    projection: toProjection(request.projection),
    chunkBytes: Math.min(
      request.chunkBytes || DEFAULT_CHUNK_BYTES,
      maxMessageBytes - DUMP_CHUNK_OVERHEAD,
    ),
    room: DUMP_CHUNK_ROOM,
    reading: toReading(request),
    order: toElementOrder(request.order),
    ...(request.recursive && { recursive: true }),
    ...(filter !== undefined && { filter }),
    ...(cpuView !== undefined && { cpuView }),
    ...(maxElements > 0n && { maxElements: Number(maxElements) }),
    ...(maxElementsPerSecond > 0 && { maxElementsPerSecond }),
    ...(progressInterval !== undefined && { progressIntervalMs: durationMs(progressInterval) }),
  };
}

/** One message of a dump's answer; chunks come encoded. */
export function dumpMessage(
  item: DumpItem,
): MessageInitShape<typeof DumpMapResponseSchema> | Buffer {
  switch (item.kind) {
    case "chunk":
      return encodeDumpChunk(item.chunk);
    case "elements":
      return { kind: { case: "elements", value: elementsMessage(item.elements) } };
    case "header":
      return {
        kind: {
          case: "header",
          value: {
            map: mapMessage(item.map),
            valueStride: item.valueStride,
            ...(item.outerKey && { outerKey: item.outerKey }),
          },
        },
      };
    case "progress":
      return {
        kind: {
          case: "progress",
          value: { scanned: BigInt(item.scanned), sent: BigInt(item.sent) },
        },
      };
    case "summary":
      return { kind: { case: "summary", value: summaryMessage(item.summary) } };
  }
}

function summaryMessage(summary: DumpSummary): MessageInitShape<typeof DumpSummarySchema> {
  return {
    sent: BigInt(summary.sent),
    scanned: BigInt(summary.scanned),
    complete: summary.complete,
    incompleteReason: incompleteReason(summary.incompleteReason),
    restarts: summary.restarts,
    duplicatesDropped: BigInt(summary.duplicatesDropped),
    startTime: timestampFromMs(summary.startTimeMs),
    endTime: timestampFromMs(summary.endTimeMs),
  };
}

function incompleteReason(reason: DumpSummary["incompleteReason"]): IncompleteReason {
  switch (reason) {
    case "max_elements":
      return IncompleteReason.MAX_ELEMENTS;
    case "restarts":
      return IncompleteReason.RESTARTS;
    case "dedup_memory":
      return IncompleteReason.DEDUP_MEMORY;
    case undefined:
      return IncompleteReason.UNSPECIFIED;
  }
}

function toProjection(value: Projection): DumpRequest["projection"] {
  switch (value) {
    case Projection.UNSPECIFIED:
    case Projection.KEYS_AND_VALUES:
      return "keys_and_values";
    case Projection.KEYS:
      return "keys";
    case Projection.VALUES:
      return "values";
  }
}
