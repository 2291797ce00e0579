import {
  FullRing,
  LossReason,
  type ReadRecordsRequest,
  type ReadRecordsResponseSchema,
  RecordStart,
  type WriteRecordsRequest,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { fieldError, type MapAccess } from "../../maps/index.js";
import type {
  RecordColumns,
  RecordLoss,
  RecordRequest,
  RecordStep,
  WriteStart,
} from "../../records/index.js";
import { mapMessage } from "./map-message.js";
import { toMapRef } from "./map-ref-message.js";
import { encodeRecords, RECORD_OVERHEAD, RECORD_ROOM } from "./record-frame.js";

/** What a request to read asks of the records floor. */
export function toRecordRequest(
  request: ReadRecordsRequest,
  maxMessageBytes: number,
  access: MapAccess | undefined,
): RecordRequest {
  const { slot } = request;
  return {
    map: toMapRef(request.map, access),
    start: request.start === RecordStart.NOW ? "now" : "buffered",
    queueBytes: Number(request.queueBytes),
    pagesPerCpu: request.pagesPerCpu,
    ...(slot && { slot: { cpu: slot.cpu, index: slot.index } }),
    room: RECORD_ROOM,
    maxRecordBytes: maxMessageBytes - RECORD_OVERHEAD,
  };
}

/** One message of a stream of records; batches come encoded. */
export function recordMessage(
  step: RecordStep,
): MessageInitShape<typeof ReadRecordsResponseSchema> | Buffer {
  switch (step.kind) {
    case "batch":
      return encodeRecords(step.batch);
    case "lost":
      return { kind: { case: "lost", value: lossMessage(step.loss) } };
    case "started":
      return {
        kind: {
          case: "started",
          value: { map: mapMessage(step.map), nextSequence: BigInt(step.nextSequence) },
        },
      };
  }
}

const LOSS_REASONS: Readonly<Record<RecordLoss["reason"], LossReason>> = {
  slow_reader: LossReason.SLOW_READER,
  ring_full: LossReason.RING_FULL,
  too_large: LossReason.TOO_LARGE,
};

function lossMessage({ reason, count, cpu }: RecordLoss) {
  return { reason: LOSS_REASONS[reason], count: BigInt(count), cpu };
}

/** The first message of a stream to write; undefined where the stream has none. */
export function toWriteStart(
  request: WriteRecordsRequest | undefined,
  access: MapAccess | undefined,
): WriteStart {
  if (request?.kind.case !== "start") {
    throw fieldError("FIELD_INVALID", "start", "must be the first message of the stream");
  }
  const { map, whenFull } = request.kind.value;
  return {
    map: toMapRef(map, access, "start.map"),
    whenFull: whenFull === FullRing.FAIL ? "fail" : "wait",
  };
}

/** A further message of a stream to write. */
export function toRecordColumns(request: WriteRecordsRequest): RecordColumns {
  if (request.kind.case !== "records") {
    throw fieldError("FIELD_INVALID", "start", "may only be the first message of the stream");
  }
  const { sizes, data, firstSequence, cpus, timesNs } = request.kind.value;
  refuse("first_sequence", firstSequence !== 0n);
  refuse("cpus", cpus.length > 0);
  refuse("times_ns", timesNs.length > 0);
  return { sizes, data };
}

function refuse(field: string, isGiven: boolean): void {
  if (!isGiven) return;
  throw fieldError("FIELD_INVALID", `records.${field}`, "cannot be chosen: leave it empty");
}
