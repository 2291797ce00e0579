/** The watch floor: what a map held, and what has changed since. */
export { WatchHub } from "./watch-hub.js";
export type { WatchLimits } from "./watch-limits.js";
export { watchMap } from "./watch-map.js";
export type { Scan } from "./watch-protocol.js";
export type {
  ResyncReason,
  WatchEvents,
  WatchFilter,
  WatchItem,
  WatchRequest,
} from "./watch-request.js";
