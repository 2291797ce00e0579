/** How a host brings the fleet's sets into its maps. */
export { FileShelf, FileState } from "./file-state.js";
export type * from "./host-state.js";
export { type Application, Reconciler, UnfitError, type Verification } from "./reconciler.js";
export { type FetchSegment, SegmentLibrary } from "./segment-library.js";
export { type MapCalls, reasonOf, ServedMap, type ServedTarget } from "./served-map.js";
export { SetAgent, type SetAgentOptions } from "./set-agent.js";
export type { SetStatus } from "./set-status.js";
export * from "./target-map.js";
