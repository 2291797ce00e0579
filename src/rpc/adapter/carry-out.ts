import type { DescMethod } from "@bufbuild/protobuf";
import type { CallGuard } from "../gate/call-guard.js";
import { encode } from "./codec.js";
import { checkRequest } from "./request-stream.js";
import type { CallRuntime, MethodHandler } from "./runtime.js";
import type { CallContext } from "./server-call.js";

/** A call with one request and one answer. */
interface SingleCall extends CallContext {
  readonly guard: CallGuard | undefined;
}

/**
 * Does a call that was let in: its encoded answer, once the audit has it. Who calls this
 * tells the audit of what it throws.
 *
 * @param maxBytes of the answer
 */
export async function carryOut(
  method: DescMethod,
  handler: MethodHandler,
  given: unknown,
  call: SingleCall,
  runtime: CallRuntime,
  maxBytes: number,
): Promise<Buffer> {
  const { guard } = call;
  const request = checkRequest(method, given, call, runtime);
  if (guard) await guard.audit?.requested(request);
  const response = await handler(request, call);
  const answer = encode(method.output, response, maxBytes);
  if (guard) await guard.audit?.ended({ answer: response });
  return answer;
}
