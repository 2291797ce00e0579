/** The watch floor: what a map held, and what has changed since. */
export { WatchHub } from "./watch-hub.js";
export type { WatchLimits } from "./watch-limits.js";
export { watchMap } from "./watch-map.js";
export type { FeedState, WatchObserver } from "./watch-observer.js";
export type { Scan } from "./watch-protocol.js";
export {
  RESYNC_REASONS,
  type ResyncReason,
  type WatchAccount,
  type WatchEvents,
  type WatchFilter,
  type WatchItem,
  type WatchRequest,
} from "./watch-request.js";
