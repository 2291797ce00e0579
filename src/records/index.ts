/** The records floor: streams out of and into rings. */
export { readRecords } from "./read-records.js";
export type { BatchRoom, LossReason, RecordBatch, RecordLoss } from "./record-batch.js";
export { RecordHub } from "./record-hub.js";
export type { RecordLimits } from "./record-limits.js";
export type { PerfSlot } from "./record-protocol.js";
export type { RecordRequest, RecordStep } from "./record-request.js";
export { type RecordColumns, type WriteStart, writeRecords } from "./write-records.js";
