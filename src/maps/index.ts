/** The maps floor: what a map of this host is, and everything that can be done with one. */
export type {
  CapabilityTable,
  MapOperation,
  TypeCapabilities,
} from "./capability-table.js";
export { getMap, type ListMapsFilter, type ListMapsRequest, listMaps } from "./catalogue.js";
export { clearMap } from "./clear.js";
export type {
  Columns,
  CpuFold,
  CpuTarget,
  CpuView,
  ElementFailure,
  OnError,
  UpdateMode,
} from "./columns.js";
export { countElements, type ElementCount } from "./count.js";
export { type DumpItem, type DumpRequest, dumpMap } from "./dump.js";
export {
  type Applied,
  deleteElements,
  type Found,
  lookupElements,
  nextKey,
  takeElements,
  updateElements,
} from "./elements.js";
export type { HoldRequest } from "./hold-registry.js";
export {
  type CreateMapRequest,
  createMap,
  freezeMap,
  holdMap,
  keepAlive,
  pinMap,
  releaseMap,
  unpinMap,
} from "./life.js";
export { type LoadStart, loadMap } from "./load.js";
export { type FieldViolation, fieldError, MapError, type MapErrorReason } from "./map-error.js";
export { type HostIdentity, MapHost, type MapHostOptions } from "./map-host.js";
export type { MapLimits } from "./map-limits.js";
export type { Hold, Holder, MapDetail, MapRecord } from "./map-record.js";
export type { MapRef } from "./map-ref.js";
export { CreateFlag, type MapSpec } from "./map-spec.js";
export { MapType } from "./map-type.js";
export { peekElement, popElements, pushElements } from "./queues.js";
export type { Chunk, ChunkRoom } from "./scan/chunk.js";
export type { Projection } from "./scan/chunk-builder.js";
export type { DumpSummary } from "./scan/dump-job.js";
export type { ElementFilter, KeyRange } from "./scan/element-filter.js";
export type { LoadResult } from "./scan/load-input.js";
