import { type BpfmapClient, type ConnectOptions, connect } from "@bpfmapd/client";
import { InterceptingCall, type Interceptor } from "@grpc/grpc-js";

/** A client whose requests are counted by RPC. */
export function countingClient(options: ConnectOptions): {
  client: BpfmapClient;
  requests: () => Record<string, number>;
} {
  const counts: Record<string, number> = {};
  const count: Interceptor = (call, next) => {
    const rpc = call.method_definition.path.split("/").at(-1) as string;
    counts[rpc] = (counts[rpc] ?? 0) + 1;
    return new InterceptingCall(next(call));
  };
  const channelOptions = { ...options.channelOptions, interceptors: [count] };
  return { client: connect({ ...options, channelOptions }), requests: () => counts };
}
