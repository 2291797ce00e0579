import type { ScanTarget } from "../maps/index.js";
import type { Changes, Writer } from "./changes.js";

/**
 * What the main thread asks of a map's watch job, one at a time and in order. `fd` is
 * open until the answer to it has come.
 */
export type WatchCommand =
  | { readonly type: "scan"; readonly fd: number }
  | {
      readonly type: "look";
      readonly fd: number;
      readonly keys: Uint8Array;
      /** Who wrote each, where that is known. */
      readonly writers?: readonly Writer[] | undefined;
    }
  | { readonly type: "snapshot" }
  | { readonly type: "trace"; readonly mapId: number };

/** What the job answers: any number of chunks to a snapshot, then one last word to each. */
export type WatchReport =
  | { readonly type: "scanned"; readonly scan: Scan; readonly changes: Changes }
  | { readonly type: "looked"; readonly scan: Scan; readonly changes: Changes }
  | { readonly type: "chunk"; readonly chunk: SnapshotChunk }
  | { readonly type: "snapshotDone" }
  | { readonly type: "tracing"; readonly source: Source }
  | TraceReport;

/** What the job tells by itself once it traces. */
export type TraceReport =
  | { readonly type: "traced"; readonly scan: Scan; readonly changes: Changes }
  /** Calls wrote these keys, or where none are given any number of them: look. */
  | { readonly type: "touched"; readonly keys: undefined }
  | {
      readonly type: "touched";
      readonly keys: Uint8Array;
      /** Who wrote each. */
      readonly writers: readonly Writer[];
    }
  /** The kernel did not tell so many calls. */
  | { readonly type: "lost"; readonly calls: number };

/** What changes are learnt from, and where it is not the best: why. */
export interface Source {
  readonly kind: "poll" | "trace" | "syscall";
  /** For people; empty for "trace". */
  readonly reason: string;
}

/** When a look at the map began and ended, in milliseconds since the epoch. */
export interface Scan {
  readonly startedMs: number;
  readonly finishedMs: number;
  /** How long the thread was busy with it: CPU time, in milliseconds. */
  readonly busyMs: number;
  /** False where the kernel's walk could not be complete, so additions may be missing. */
  readonly complete: boolean;
  /** Bytes of memory that the shadow takes. */
  readonly shadowBytes: number;
}

/** Elements of a snapshot. */
export interface SnapshotChunk {
  readonly count: number;
  readonly keys: Buffer;
  readonly values: Buffer;
}

/** What a watch job is started with. */
export interface WatchArgs {
  /** Its fd is not used: every command brings its own. */
  readonly target: ScanTarget;
  readonly dedupMemoryBytes: number;
  /** Bytes of the ring buffer that traced calls come through: a power of two, whole pages. */
  readonly traceRingBytes: number;
}
