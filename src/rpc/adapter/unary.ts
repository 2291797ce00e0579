import type { DescMethod } from "@bufbuild/protobuf";
import type { handleUnaryCall } from "@grpc/grpc-js";
import { carryOut } from "./carry-out.js";
import { type CallRuntime, failureStatus, type MethodHandler } from "./runtime.js";
import { ServerCall, stoppingError } from "./server-call.js";

/** Serves a unary method: nothing that the handler does can leave the client without an answer. */
export function unary(
  method: DescMethod,
  handler: MethodHandler,
  runtime: CallRuntime,
): handleUnaryCall<unknown, Buffer> {
  return async (call, callback) => {
    const context = new ServerCall(call, runtime.unaryStopping, runtime);
    try {
      if (runtime.unaryStopping.aborted) throw stoppingError();
      const { maxMessageBytes } = runtime;
      const { request } = call;
      const answer = await carryOut(method, handler, request, context, runtime, maxMessageBytes);
      context.guard?.share.addBytes(answer.byteLength);
      callback(null, answer);
    } catch (error) {
      if (context.guard?.audit) await context.guard.audit.ended({ error });
      const status = failureStatus(error, context, runtime);
      if (status !== undefined) callback(status);
    } finally {
      context.settle();
    }
  };
}
