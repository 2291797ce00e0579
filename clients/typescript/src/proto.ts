/** The generated contract: every message, enum and service of `bpfmap.v1` and `bpfmap.fleet.v1`. */
export * from "./gen/bpfmap/fleet/v1/aggregate_pb.js";
export * from "./gen/bpfmap/fleet/v1/fleet_service_pb.js";
export * from "./gen/bpfmap/fleet/v1/host_pb.js";
export * from "./gen/bpfmap/fleet/v1/map_set_pb.js";
export * from "./gen/bpfmap/fleet/v1/relay_service_pb.js";
export * from "./gen/bpfmap/fleet/v1/rollout_pb.js";
export * from "./gen/bpfmap/fleet/v1/selector_pb.js";
export * from "./gen/bpfmap/fleet/v1/session_pb.js";
export * from "./gen/bpfmap/fleet/v1/watch_pb.js";
export * from "./gen/bpfmap/v1/aggregate_pb.js";
export * from "./gen/bpfmap/v1/capability_pb.js";
export * from "./gen/bpfmap/v1/element_pb.js";
export * from "./gen/bpfmap/v1/error_pb.js";
export * from "./gen/bpfmap/v1/export_pb.js";
export * from "./gen/bpfmap/v1/host_service_pb.js";
export * from "./gen/bpfmap/v1/map_pb.js";
export * from "./gen/bpfmap/v1/map_service_pb.js";
export * from "./gen/bpfmap/v1/object_pb.js";
export * from "./gen/bpfmap/v1/record_pb.js";
export * from "./gen/bpfmap/v1/schema_pb.js";
export * from "./gen/bpfmap/v1/watch_pb.js";
export {
  type BadRequest,
  BadRequest_FieldViolationSchema,
  BadRequestSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  type RetryInfo,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";
export { type Status, StatusSchema } from "./gen/google/rpc/status_pb.js";
