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
      callback(
        null,
        await carryOut(method, handler, call.request, context, runtime, maxMessageBytes),
      );
    } catch (error) {
      if (context.guard) await context.guard.audit?.ended({ error });
      const status = failureStatus(error, context, runtime);
      if (status !== undefined) callback(status);
    } finally {
      context.settle();
    }
  };
}
