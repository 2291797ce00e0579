/** Map sets: the desired contents of maps, in the fleet's store. */

export { Collector, type CollectorOptions } from "./collector.js";
export { KEPT_GENERATIONS } from "./commit.js";
export { Contents } from "./contents.js";
export {
  type Changes,
  compareKeys,
  type ElementSizes,
  type Elements,
} from "./elements.js";
export * from "./manifest.js";
export * from "./map-sets.js";
export { segmentName } from "./segment.js";
export { SegmentCache } from "./segment-cache.js";
export type { SegmentSource } from "./segment-source.js";
export { SetError, type SetErrorCode, setNotFound } from "./set-error.js";
export { checkSetName, isSetName } from "./set-keys.js";
export { UPKEEP, type UpkeepRules } from "./set-upkeep.js";
export { checkedSegment } from "./store-segments.js";
export {
  type PresentSets,
  presentSets,
  type SetChange,
  type SetWatchOptions,
  watchSets,
} from "./watch-sets.js";
