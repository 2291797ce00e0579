/** The RPC floor: the contract's services over gRPC. */
export { RpcServer, type RpcServerOptions } from "./rpc-server.js";
