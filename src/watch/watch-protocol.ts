import type { ScanTarget } from "../maps/index.js";
import type { Changes } from "./changes.js";

/**
 * What the main thread asks of a map's watch job, one at a time and in order. `fd` is
 * open until the answer to it has come.
 */
export type WatchCommand =
  | { readonly type: "scan"; readonly fd: number }
  | { readonly type: "look"; readonly fd: number; readonly keys: Uint8Array }
  | { readonly type: "snapshot" };

/** What the job answers: any number of chunks to a snapshot, then one last word to each. */
export type WatchReport =
  | { readonly type: "scanned"; readonly scan: Scan; readonly changes: Changes }
  | { readonly type: "looked"; readonly scan: Scan; readonly changes: Changes }
  | { readonly type: "chunk"; readonly chunk: SnapshotChunk }
  | { readonly type: "snapshotDone" };

/** When a look at the map began and ended, in milliseconds since the epoch. */
export interface Scan {
  readonly startedMs: number;
  readonly finishedMs: number;
  /** How long the thread worked on it, in milliseconds. */
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
}
