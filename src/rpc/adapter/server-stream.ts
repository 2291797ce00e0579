import type { DescMethod } from "@bufbuild/protobuf";
import type { handleServerStreamingCall } from "@grpc/grpc-js";
import { checkRequest } from "./request-stream.js";
import { sendResponses } from "./response-stream.js";
import type { CallRuntime, MethodHandler } from "./runtime.js";
import { ServerCall } from "./server-call.js";

/** Serves a method whose answer is a stream. */
export function serverStream(
  method: DescMethod,
  handler: MethodHandler,
  runtime: CallRuntime,
): handleServerStreamingCall<unknown, Buffer> {
  return (call) => {
    const context = new ServerCall(call, runtime.streamsStopping);
    const answers = () => handler(checkRequest(method, call.request, runtime), context);
    void sendResponses(method, answers, call, context, runtime);
  };
}
