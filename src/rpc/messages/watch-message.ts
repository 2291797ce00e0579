import {
  OnRecreate,
  Projection,
  ResyncReason as ResyncReasonEnum,
  WatchFidelity,
  type WatchFilter as WatchFilterMessage,
  type WatchRequest as WatchRequestMessage,
  type WatchResponseSchema,
  WatchSource,
  WatchStart,
  WriterKind,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { MapAccess } from "../../maps/index.js";
import { fieldError } from "../../maps/index.js";
import type {
  ResyncReason,
  WatchAccount,
  WatchFilter,
  WatchItem,
  WatchRequest,
} from "../../watch/index.js";
import { toCpuView, toKeyRange, toReading } from "./element-message.js";
import { mapMessage } from "./map-message.js";
import { toMapRef } from "./map-ref-message.js";

const SOURCES = {
  poll: WatchSource.POLL,
  trace: WatchSource.TRACE,
  syscall: WatchSource.SYSCALL,
} as const;

type WatchMessage = MessageInitShape<typeof WatchResponseSchema>;

/** What a request to watch asks of the watch floor. */
export function toWatchRequest(
  request: WatchRequestMessage,
  access: MapAccess | undefined,
  account: WatchAccount | undefined,
): WatchRequest {
  const { pollInterval, bookmarkInterval } = request;
  return {
    map: toMapRef(request.map, access),
    filter: toWatchFilter(request.filter),
    start: toStart(request.start),
    fidelity: toFidelity(request.fidelity),
    pollIntervalMs: pollInterval && durationMs(pollInterval),
    keysOnly: toKeysOnly(request.projection),
    cpuView: toCpuView(request.cpuView),
    previousValues: request.previousValues,
    bookmarkIntervalMs: bookmarkInterval && durationMs(bookmarkInterval),
    follow: request.onRecreate === OnRecreate.FOLLOW,
    reading: toReading(request),
    account,
  };
}

function toStart(start: WatchRequestMessage["start"]): WatchRequest["start"] {
  if (start.case === "resumeToken") return { resumeToken: start.value };
  return start.value === WatchStart.UPDATES ? "updates" : "snapshot";
}

function toFidelity(fidelity: WatchFidelity): WatchRequest["fidelity"] {
  switch (fidelity) {
    case WatchFidelity.EVERY_CALL:
      return "every_call";
    case WatchFidelity.BEST_AVAILABLE:
      return "best_available";
    case WatchFidelity.UNSPECIFIED:
    case WatchFidelity.LATEST:
      return "latest";
  }
}

function toKeysOnly(projection: Projection): boolean {
  if (projection === Projection.VALUES) {
    throw fieldError("FIELD_INVALID", "projection", "a watch without keys would say nothing");
  }
  return projection === Projection.KEYS;
}

function toWatchFilter(message: WatchFilterMessage | undefined): WatchFilter | undefined {
  if (message === undefined) return undefined;
  const { keys, coveredBy, keyPrefix, keyRange } = message;
  return { keys, keyPrefix, keyRange: keyRange && toKeyRange(keyRange), coveredBy };
}

/** One message of a watch's answer. */
export function watchMessage(item: WatchItem): WatchMessage {
  switch (item.kind) {
    case "created":
      return createdMessage(item);
    case "events":
      return { kind: { case: "events", value: eventsMessage(item) } };
    case "bookmark":
      return bookmarkMessage(item);
    case "resync": {
      const reason = resyncReason(item.reason);
      return { kind: { case: "resync", value: { reason, lost: BigInt(item.lost) } } };
    }
    case "map_gone":
      return { kind: { case: "mapGone", value: { id: item.id } } };
  }
}

function createdMessage(item: WatchItem & { kind: "created" }): WatchMessage {
  return {
    kind: {
      case: "created",
      value: {
        map: mapMessage(item.map),
        valueStride: item.valueStride,
        source: SOURCES[item.source.kind],
        sourceReason: item.source.reason,
        fidelity: item.fidelity === "latest" ? WatchFidelity.LATEST : WatchFidelity.EVERY_CALL,
        pollInterval: durationFromMs(Math.round(item.intervalMs)),
        epoch: item.epoch,
      },
    },
  };
}

function bookmarkMessage(item: WatchItem & { kind: "bookmark" }): WatchMessage {
  return {
    kind: {
      case: "bookmark",
      value: {
        resumeToken: item.resumeToken,
        revision: BigInt(item.revision),
        snapshotDone: item.snapshotDone,
        scanStarted: timestampFromMs(item.scan.startedMs),
        scanFinished: timestampFromMs(item.scan.finishedMs),
        pollInterval: durationFromMs(Math.round(item.intervalMs)),
      },
    },
  };
}

function eventsMessage({ events, texts }: WatchItem & { kind: "events" }) {
  const hasBytes = !texts || texts.besideBytes;
  return {
    revision: BigInt(events.revision),
    initial: events.initial,
    puts: {
      ...(hasBytes ? events.puts : { count: events.puts.count }),
      jsonKeys: [...(texts?.putKeys ?? [])],
      jsonValues: [...(texts?.putValues ?? [])],
    },
    deletes: {
      ...(hasBytes ? events.deletes : { count: events.deletes.count }),
      jsonKeys: [...(texts?.deleteKeys ?? [])],
    },
    ...(events.previous && {
      ...(hasBytes && { previous: events.previous.values }),
      previousPresent: packBits(events.previous.present),
      jsonPrevious: [...(texts?.previous ?? [])],
    }),
    writers: events.writers.map(({ pid, comm, kind, monotonicNs }) => ({
      pid,
      comm,
      kind: kind === "syscall" ? WriterKind.SYSCALL : WriterKind.PROGRAM,
      monotonicNs,
    })),
    seenAfter: timestampFromMs(events.seenAfterMs),
    seenBefore: timestampFromMs(events.seenBeforeMs),
  };
}

/** One bit for each truth value, least significant first. */
function packBits(values: readonly boolean[]): Uint8Array {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (const [index, value] of values.entries()) {
    if (value) bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return bits;
}

function resyncReason(reason: ResyncReason): ResyncReasonEnum {
  switch (reason) {
    case "history_expired":
      return ResyncReasonEnum.HISTORY_EXPIRED;
    case "epoch_changed":
      return ResyncReasonEnum.EPOCH_CHANGED;
    case "map_recreated":
      return ResyncReasonEnum.MAP_RECREATED;
    case "overflow":
      return ResyncReasonEnum.OVERFLOW;
    case "trace_lost":
      return ResyncReasonEnum.TRACE_LOST;
  }
}
