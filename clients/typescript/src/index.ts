export { Metadata, status } from "@grpc/grpc-js";
export { type Address, DEFAULT_ADDRESS, parseAddress } from "./address.js";
export type { CallOptions } from "./call-options.js";
export { BpfmapClient } from "./client.js";
export type { Element } from "./columns.js";
export { type ConnectOptions, connect, type TlsOptions } from "./connect.js";
export type { CpuTargetOptions, CpuViewOptions } from "./cpu.js";
export { Dump, type DumpOptions } from "./dump.js";
export { BpfmapError, type BpfmapErrorInit, type FieldViolation } from "./errors.js";
export type { ElementSource, LoadOptions } from "./load.js";
export {
  type LookupOptions,
  type ManyOptions,
  MapHandle,
  type UpdateOptions,
} from "./map-handle.js";
export { type MapRefInit, mapRef } from "./map-ref.js";
export type { ResponseStream } from "./response-stream.js";
export type { ServiceClient } from "./service-client.js";
export {
  type DeleteEvent,
  type PutEvent,
  Watch,
  type WatchEvent,
  type WatchOptions,
} from "./watch.js";
