import type { DescMethod } from "@bufbuild/protobuf";
import type { handleUnaryCall } from "@grpc/grpc-js";
import { encode } from "./codec.js";
import { checkRequest } from "./request-stream.js";
import { type CallRuntime, failureStatus, type MethodHandler } from "./runtime.js";
import { ServerCall, stoppingError } from "./server-call.js";

/** Serves a unary method: nothing that the handler does can leave the client without an answer. */
export function unary(
  method: DescMethod,
  handler: MethodHandler,
  runtime: CallRuntime,
): handleUnaryCall<unknown, Buffer> {
  return async (call, callback) => {
    const context = new ServerCall(call, runtime.unaryStopping);
    try {
      if (runtime.unaryStopping.aborted) throw stoppingError();
      const request = checkRequest(method, call.request, runtime);
      const response = await handler(request, context);
      callback(null, encode(method.output, response, runtime.maxMessageBytes));
    } catch (error) {
      const status = failureStatus(error, context, runtime);
      if (status !== undefined) callback(status);
    } finally {
      context.settle();
    }
  };
}
