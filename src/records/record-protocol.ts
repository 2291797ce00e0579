import type { BatchRoom, RecordBatch, RecordLoss } from "./record-batch.js";

/** A place in a perf event array, and the CPU whose event is put there. */
export interface PerfSlot {
  readonly cpu: number;
  readonly index: number;
}

/** What to read. */
export type RecordOrigin =
  | { readonly kind: "ring" }
  | {
      readonly kind: "perf";
      readonly slots: readonly PerfSlot[];
      /** Whether these are the slots of all CPUs that were online. */
      readonly everyCpu: boolean;
      /** Pages of each ring: a power of two. */
      readonly pages: number;
      /** Whether closing the fd leaves the events in the map, so that they must be deleted. */
      readonly staysInMap: boolean;
    };

/** What a reader's job is started with. */
export interface RecordArgs {
  /** The map; open until the job has ended. */
  readonly fd: number;
  /** `OpenMap.label`. */
  readonly label: string;
  readonly origin: RecordOrigin;
  /** Whether to throw away what the ring holds at the start. */
  readonly skipBuffered: boolean;
  /** Larger records are not passed on. */
  readonly maxRecordBytes: number;
  readonly room: BatchRoom;
}

/** What the main thread asks of the job: to tell when all that was written till now is read. */
export interface MarkCommand {
  readonly type: "mark";
}

/** What the job tells, in order. */
export type RecordReport =
  /** The ring is read from now on. */
  | { readonly type: "opened" }
  | { readonly type: "batch"; readonly batch: RecordBatch }
  | { readonly type: "lost"; readonly loss: RecordLoss }
  | { readonly type: "marked" };
