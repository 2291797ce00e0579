import type { Scan, Source } from "./watch-protocol.js";
import type { ResyncReason } from "./watch-request.js";

/** Told of what watches do. Nothing of it may throw. */
export interface WatchObserver {
  /** A scan of a watched map is done. */
  scanned(scan: Scan): void;
  /** A subscriber was told that it starts over. */
  resynced(reason: ResyncReason): void;
}

/** How one map's watch is doing now. */
export interface FeedState {
  readonly mapId: number;
  readonly mapName: string;
  /** 0 for a feed that rests until somebody resumes, or it is forgotten. */
  readonly subscribers: number;
  readonly source: Source["kind"];
  /**
   * What subscribers know is as new as its `finishedMs`; undefined before the first scan,
   * and while the feed rests.
   */
  readonly lastScan: Scan | undefined;
}
