import type { DescMethod } from "@bufbuild/protobuf";
import type { handleServerStreamingCall } from "@grpc/grpc-js";
import { checkRequest } from "./request-stream.js";
import { sendResponses } from "./response-stream.js";
import type { CallRuntime, MethodHandler } from "./runtime.js";
import { ServerCall } from "./server-call.js";

async function* after<T>(begun: Promise<void>, answers: () => AsyncIterable<T>) {
  await begun;
  yield* answers();
}

/** Serves a method whose answer is a stream. */
export function serverStream(
  method: DescMethod,
  handler: MethodHandler,
  runtime: CallRuntime,
): handleServerStreamingCall<unknown, Buffer> {
  return (call) => {
    const context = new ServerCall(call, runtime.streamsStopping, runtime);
    const answers = () => {
      const request = checkRequest(method, call.request, context, runtime);
      const audit = context.guard?.audit;
      if (!audit) return handler(request, context);
      return after(audit.requested(request), () => handler(request, context));
    };
    void sendResponses(method, answers, call, context, runtime);
  };
}
