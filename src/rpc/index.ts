/** The RPC floor: the contract's services over gRPC. */
export type { CallCourse, CallObserver, ObservedCall } from "./call-observer.js";
export type { AuditOptions } from "./gate/audit.js";
export { takeLibraryLog } from "./library-log.js";
export { RpcServer, type RpcServerOptions } from "./rpc-server.js";
