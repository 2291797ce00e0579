/**
 * Connecting to a daemon, maps, dumps, loads, watches and records.
 *
 * @module client
 */

export { Metadata, status } from "@grpc/grpc-js";
export { type Address, DEFAULT_ADDRESS, parseAddress } from "./address.js";
export type {
  Aggregate,
  AggregateOptions,
  GreatestKeys,
  NumberFieldInit,
  NumberOptions,
  NumberTotals,
} from "./aggregate.js";
export type { BatchedCallOptions, BatchedMap, BatchingOptions } from "./batch/batched-map.js";
export type { CallOptions } from "./call-options.js";
export { BpfmapClient } from "./client.js";
export type { Element } from "./columns.js";
export { type ConnectOptions, connect, type TlsOptions } from "./connect.js";
export type { CpuTargetOptions, CpuViewOptions } from "./cpu.js";
export { Dump, type DumpOptions } from "./dump.js";
export { BpfmapError, type BpfmapErrorInit, type FieldViolation } from "./errors.js";
export {
  FanOut,
  type FanOutEvent,
  type FanOutOutcome,
  type HostMessage,
  type HostOutcome,
  type HostResult,
} from "./fan-out.js";
export {
  type FanOutAnswer,
  type FanOutOptions,
  type FanOutRequestInit,
  type FanOutRpc,
  Fleet,
  type FleetHostEvent,
  type HostSelectorInit,
} from "./fleet.js";
export type {
  FleetAggregate,
  FleetAggregateOptions,
  FleetCounterStep,
  FleetCoverage,
  FleetHostAggregate,
  KeySum,
  TopSums,
} from "./fleet-aggregate.js";
export { FleetWatch, type FleetWatchEvent, type FleetWatchOptions } from "./fleet-watch.js";
export type { JsonMap, TypingInit } from "./json-map.js";
export type { ElementSource, LoadOptions } from "./load.js";
export {
  type LookupOptions,
  type ManyOptions,
  MapHandle,
  type UpdateOptions,
} from "./map-handle.js";
export { type MapRefInit, mapRef } from "./map-ref.js";
export type { Key, Value } from "./object.js";
export type { RecordSource, WriteRecordsOptions } from "./record-writer.js";
export {
  type LostEvent,
  type RecordBatch,
  type RecordEvent,
  RecordStream,
  type RecordsOptions,
} from "./records.js";
export type { ResponseStream } from "./response-stream.js";
export type { RolloutControl, RolloutControlOptions, RolloutProgress } from "./rollout.js";
export type { ServiceClient } from "./service-client.js";
export type { TokenSource } from "./token.js";
export type { OpenOptions } from "./typed/open-map.js";
export type {
  TypedDeleteEvent,
  TypedMap,
  TypedPutEvent,
  TypedWatchEvent,
} from "./typed/typed-map.js";
export { Watch, type WatchOptions } from "./watch.js";
export type { ChangeTexts, DeleteEvent, PutEvent } from "./watch-change.js";
export type { WatchEvent } from "./watch-event.js";
