import type { MapRecord, MapRef } from "../maps/index.js";
import type { BatchRoom } from "./record-batch.js";
import type { PerfSlot } from "./record-protocol.js";
import type { RecordItem } from "./subscription.js";

/** What to read; the contract's `ReadRecordsRequest`. */
export interface RecordRequest {
  readonly map: MapRef;
  readonly start: "buffered" | "now";
  /** Bytes that are kept for the subscriber. */
  readonly queueBytes?: number | undefined;
  readonly pagesPerCpu?: number | undefined;
  readonly slot?: PerfSlot | undefined;
  readonly room: BatchRoom;
  /** Larger records are not passed on, in bytes. */
  readonly maxRecordBytes: number;
}

/** One step of a stream of records; the contract's `ReadRecordsResponse`. */
export type RecordStep =
  | { readonly kind: "started"; readonly map: MapRecord; readonly nextSequence: number }
  | RecordItem;
