/** The RPC floor: the contract's services over gRPC. */
export type { CallCourse, CallObserver, ObservedCall } from "./call-observer.js";
export type { AuditOptions } from "./gate/audit.js";
export { takeLibraryLog } from "./library-log.js";
export { carriedCaller } from "./messages/caller-message.js";
export { hostMessage } from "./messages/host-message.js";
export { RpcServer, type RpcServerOptions, type ServedMaps } from "./rpc-server.js";
