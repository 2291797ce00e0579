import type { EpollWaiter } from "../kernel/index.js";
import type { BatchBuilder } from "./batch-builder.js";

/** Where a job takes records from. */
export interface RecordSource {
  /** Whether nothing waits that {@link take} could take. */
  readonly isEmpty: boolean;
  /** How often to {@link look}, in milliseconds. */
  readonly lookMs: number;
  /** Takes about one batch. */
  take(builder: BatchBuilder): void;
  /** Takes all that waits now, but not what is written meanwhile. */
  takeAll(builder: BatchBuilder): void;
  /** Takes as {@link take}, and what the kernel wakes nobody for. */
  look(builder: BatchBuilder): void;
  /** Calls back once when there may be something to take, and again after each {@link rearm}. */
  watch(waiter: EpollWaiter, onReady: () => void): void;
  /** Answers false where it is of no use: something waits that cannot be taken yet. */
  rearm(): boolean;
  close(): void;
}
