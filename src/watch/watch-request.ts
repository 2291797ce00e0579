import type { CpuView, KeyRange, MapRecord, MapRef, Reading } from "../maps/index.js";
import type { Writer } from "./changes.js";
import type { Scan, Source } from "./watch-protocol.js";

/** Chooses elements to watch; all parts that are present must hold. */
export interface WatchFilter {
  /** Only these keys, back to back. */
  readonly keys?: Uint8Array | undefined;
  readonly keyPrefix?: Uint8Array | undefined;
  readonly keyRange?: KeyRange | undefined;
  /** For LPM_TRIE: one key; only prefixes that it covers. */
  readonly coveredBy?: Uint8Array | undefined;
}

/** Who answers for what the daemon keeps of the contents of a map that is watched. */
export interface WatchAccount {
  /** So many bytes are kept of the map that is watched now; throws where that is too much. */
  keeps(mapId: number, bytes: number): void;
}

/** What to watch; the contract's `WatchRequest`. */
export interface WatchRequest {
  readonly map: MapRef;
  readonly filter?: WatchFilter | undefined;
  readonly start: "snapshot" | "updates" | { readonly resumeToken: Uint8Array };
  readonly fidelity: "latest" | "every_call" | "best_available";
  readonly pollIntervalMs?: number | undefined;
  readonly keysOnly: boolean;
  readonly cpuView?: CpuView | undefined;
  readonly previousValues: boolean;
  readonly bookmarkIntervalMs?: number | undefined;
  readonly follow: boolean;
  /** How keys and values stand in the events; as bytes where absent. */
  readonly reading?: Reading | undefined;
  /** Told at the start and after each scan; absent where nobody counts. */
  readonly account?: WatchAccount | undefined;
}

/** Why a stream starts over. */
export const RESYNC_REASONS = [
  "history_expired",
  "epoch_changed",
  "map_recreated",
  "overflow",
  "trace_lost",
] as const;

export type ResyncReason = (typeof RESYNC_REASONS)[number];

/** JSON texts of a message, where they were asked for. */
export interface WatchTexts {
  readonly putKeys: readonly string[];
  /** Absent where no values are sent. */
  readonly putValues?: readonly string[] | undefined;
  readonly deleteKeys: readonly string[];
  /** Of the puts, then of the deletes; empty texts where there was none. */
  readonly previous?: readonly string[] | undefined;
  /** The bytes are sent, too. */
  readonly besideBytes: boolean;
}

/** Changes as they are sent: keys and values of the request's view. */
export interface WatchEvents {
  readonly revision: number;
  readonly initial: boolean;
  readonly puts: { readonly count: number; readonly keys: Buffer; readonly values: Buffer };
  readonly deletes: { readonly count: number; readonly keys: Buffer };
  /** Values before, of the puts and then of the deletes, where they were asked for. */
  readonly previous?: { readonly values: Buffer; readonly present: readonly boolean[] } | undefined;
  /** Who did it, one for each put and then each delete; empty where that is not known. */
  readonly writers: readonly Writer[];
  /** Each value was in the map at some instant between the two; milliseconds since the epoch. */
  readonly seenAfterMs: number;
  readonly seenBeforeMs: number;
}

/** One step of a watch; the contract's `WatchResponse`. */
export type WatchItem =
  | {
      readonly kind: "created";
      readonly map: MapRecord;
      readonly valueStride: number;
      readonly source: Source;
      readonly fidelity: "latest" | "every_call";
      readonly intervalMs: number;
      readonly epoch: Buffer;
    }
  | {
      readonly kind: "events";
      readonly events: WatchEvents;
      readonly texts?: WatchTexts | undefined;
    }
  | {
      readonly kind: "bookmark";
      readonly resumeToken: Buffer;
      readonly revision: number;
      readonly snapshotDone: boolean;
      readonly scan: Scan;
      readonly intervalMs: number;
    }
  | { readonly kind: "resync"; readonly reason: ResyncReason; readonly lost: number }
  | { readonly kind: "map_gone"; readonly id: number };
