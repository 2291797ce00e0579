/**
 * Free bytes that the caller wants around a batch's data, so that it can make a message
 * of the batch without copying it.
 */
export interface BatchRoom {
  /** Before the data. */
  readonly before: number;
  /** Behind the data, for each record. */
  readonly perRecord: number;
  /** The same where records have a CPU and a time. */
  readonly perTimedRecord: number;
  /** Behind that. */
  readonly after: number;
}

/** Records that were taken from a ring together. Shared by all subscribers: never written. */
export interface RecordBatch {
  /** Number of the first record; the others follow without a gap. */
  readonly firstSequence: number;
  readonly count: number;
  /** Length of each record in bytes. */
  readonly sizes: Uint32Array;
  /** Bytes of all records. */
  readonly dataLength: number;
  /** [free][records, back to back][free]; the data starts at `dataStart`. */
  readonly buffer: Uint8Array;
  readonly dataStart: number;
  /** Of perf event arrays: the CPU of each record, and when it was written, in ns of CLOCK_MONOTONIC. */
  readonly cpus?: Uint32Array | undefined;
  readonly timesNs?: BigUint64Array | undefined;
}

/** Why records are lost; the contract's `LossReason`. */
export type LossReason = "slow_reader" | "ring_full" | "too_large";

/** Records that are missing at a place in the stream. */
export interface RecordLoss {
  readonly reason: LossReason;
  readonly count: number;
  /** Of "ring_full": whose ring it was. */
  readonly cpu?: number | undefined;
}

/** What a V8 heap and malloc need for a batch beside its bytes; a batch may be one byte long. */
const BATCH_OVERHEAD = 1024;

/** Bytes of memory that a batch keeps. */
export function memoryOf({ buffer, sizes, cpus, timesNs }: RecordBatch): number {
  const columns = sizes.byteLength + (cpus?.byteLength ?? 0) + (timesNs?.byteLength ?? 0);
  return buffer.buffer.byteLength + columns + BATCH_OVERHEAD;
}

/** The memory of a batch, for its transfer to another thread. */
export function buffersOf({ buffer, sizes, cpus, timesNs }: RecordBatch): ArrayBuffer[] {
  const columns = [buffer, sizes, cpus, timesNs];
  return columns.flatMap((column) => (column ? [column.buffer as ArrayBuffer] : []));
}
