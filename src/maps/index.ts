/** The maps floor: what a map of this host is, and everything that can be done with one. */
export {
  type Aggregate,
  type AggregateRequest,
  aggregateElements,
  type NumberField,
  type NumberPlace,
  type TypedGreatestKeys,
} from "./aggregate/aggregate-elements.js";
export type { Log2Counts, NumberTotals } from "./aggregate/number-fold.js";
export type {
  CapabilityTable,
  MapOperation,
  TypeCapabilities,
} from "./capability-table.js";
export {
  getMap,
  type ListMapsFilter,
  type ListMapsRequest,
  listMaps,
  recordOf,
} from "./catalogue.js";
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
export { type ValueCopier, valueCopier, viewedValueSize } from "./cpu-slots.js";
export { type DumpItem, type DumpRequest, dumpMap, requireWalkable } from "./dump.js";
export { checkCpu, checkKey, checkKeys, checkKeysInRange } from "./element-check.js";
export { type ElementDecoder, jsonDecoderFor } from "./element-decoder.js";
export type {
  ElementsAnswer,
  ElementsInput,
  InputColumn,
  KeysInput,
  Reading,
  Typing,
} from "./element-input.js";
export {
  deleteElements,
  type Found,
  lookupElements,
  takeElements,
  updateElements,
} from "./elements.js";
export { explain, explainKernelError } from "./explain.js";
export type { HoldCounts, HoldRequest } from "./hold-registry.js";
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
export type { MapAccess, NewMap } from "./map-access.js";
export { type FieldViolation, fieldError, MapError, type MapErrorReason } from "./map-error.js";
export { type HostIdentity, MapHost, type MapHostOptions } from "./map-host.js";
export { isKeyless, type MapLayout } from "./map-layout.js";
export type { MapLimits } from "./map-limits.js";
export type { Hold, Holder, MapDetail, MapRecord } from "./map-record.js";
export { describeRef, type MapRef } from "./map-ref.js";
export { CreateFlag, type MapSpec } from "./map-spec.js";
export { MapType } from "./map-type.js";
export { readMemory, writeMemory } from "./memory.js";
export { compileGlob, compilePathGlob } from "./name-glob.js";
export { nextKey } from "./next-key.js";
export type * from "./object-ref.js";
export type { OpenMap } from "./open-map.js";
export type { Applied } from "./outcome.js";
export { indexPins } from "./pin-index.js";
export { peekElement, popElements, pushElements } from "./queues.js";
export { openMap } from "./resolve.js";
export { whileContended } from "./retry.js";
export { arrayKeys, indexAt } from "./scan/array-keys.js";
export type { Chunk, ChunkRoom } from "./scan/chunk.js";
export type { Projection } from "./scan/chunk-builder.js";
export type { DumpSummary } from "./scan/dump-job.js";
export {
  type Chooser,
  checkFilter,
  compileFilter,
  type ElementFilter,
  type KeyRange,
} from "./scan/element-filter.js";
export { type ElementSource, MAX_RESTARTS, openSource } from "./scan/element-source.js";
export { KeyIndex } from "./scan/key-index.js";
export { clearHostBits } from "./scan/key-order.js";
export type { LoadResult } from "./scan/load-input.js";
export { MapPicture } from "./scan/map-picture.js";
export { explainFor, type ScanTarget, scanTarget } from "./scan/scan-target.js";
export { stretchFor } from "./scan/stretch.js";
export type { JobContext } from "./threads/job-context.js";
export { serveJobs } from "./threads/serve-jobs.js";
export { ThreadPool } from "./threads/thread-pool.js";
export { Turns } from "./turns.js";
export type {
  Comparison,
  ElementOrder,
  FieldCondition,
} from "./typing/field-condition.js";
export type { FieldFold } from "./typing/field-reader.js";
export { getMapSchema } from "./typing/map-schema.js";
export type { MapSchema, SchemaKind, SchemaMember, SchemaType } from "./typing/schema.js";
