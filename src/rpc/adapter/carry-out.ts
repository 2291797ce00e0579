import type { DescMethod } from "@bufbuild/protobuf";
import { encode } from "./codec.js";
import { checkRequest } from "./request-stream.js";
import type { CallRuntime, MethodHandler } from "./runtime.js";
import type { CallContext } from "./server-call.js";

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
  call: CallContext,
  runtime: CallRuntime,
  maxBytes: number,
): Promise<Buffer> {
  const audit = call.guard?.audit;
  const request = checkRequest(method, given, call, runtime);
  if (audit) await audit.requested(request);
  const response = await handler(request, call);
  const answer = encode(method.output, response, maxBytes);
  if (audit) await audit.ended({ answer: response });
  return answer;
}
