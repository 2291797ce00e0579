import type { DescMethod } from "@bufbuild/protobuf";
import type { handleClientStreamingCall } from "@grpc/grpc-js";
import { encode } from "./codec.js";
import { requestStream } from "./request-stream.js";
import { type Answer, type CallRuntime, failureStatus, type MethodHandler } from "./runtime.js";
import { ServerCall } from "./server-call.js";
import { untilAborted } from "./until-aborted.js";

/** Serves a method whose request is a stream. */
export function clientStream(
  method: DescMethod,
  handler: MethodHandler,
  runtime: CallRuntime,
): handleClientStreamingCall<unknown, Buffer> {
  return async (call, callback) => {
    const context = new ServerCall(call, runtime.streamsStopping, runtime);
    const { signal } = context;
    try {
      signal.throwIfAborted();
      const requests = requestStream(method, call, context, runtime);
      const response = await untilAborted<Answer>(handler(requests, context), signal);
      const answer = encode(method.output, response, runtime.maxMessageBytes);
      await context.guard?.audit?.ended({ answer: response });
      callback(null, answer);
    } catch (error) {
      await context.guard?.audit?.ended({ error });
      const status = failureStatus(error, context, runtime);
      if (status !== undefined) callback(status);
    } finally {
      context.settle();
    }
  };
}
