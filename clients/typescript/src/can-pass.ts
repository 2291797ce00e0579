import { status } from "@grpc/grpc-js";
import type { BpfmapError } from "./errors.js";

/** Failures after which another attempt can succeed. */
const PASSING: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.ABORTED,
  status.RESOURCE_EXHAUSTED,
  status.DEADLINE_EXCEEDED,
]);

/** Whether a stream that has failed so can be made anew. */
export function canPass(error: BpfmapError): boolean {
  return PASSING.has(error.code) || isCut(error);
}

/**
 * Whether a call failed with its connection, which grpc-js calls INTERNAL where the other
 * side gave a code: Node.js ends connections on which 1,000 calls are cancelled at once.
 * The daemon's own errors have a reason.
 */
function isCut({ code, reason }: BpfmapError): boolean {
  return code === status.INTERNAL && reason === "";
}
