import type { DescMethod } from "@bufbuild/protobuf";
import type { handleBidiStreamingCall } from "@grpc/grpc-js";
import { requestStream } from "./request-stream.js";
import { sendResponses } from "./response-stream.js";
import type { CallRuntime, MethodHandler } from "./runtime.js";
import { ServerCall } from "./server-call.js";

/** Serves a method whose request and answer are both streams. */
export function bidiStream(
  method: DescMethod,
  handler: MethodHandler,
  runtime: CallRuntime,
): handleBidiStreamingCall<unknown, Buffer> {
  return (call) => {
    const context = new ServerCall(call, runtime.streamsStopping, runtime);
    const requests = requestStream(method, call, context, runtime);
    void sendResponses(method, () => handler(requests, context), call, context, runtime);
  };
}
