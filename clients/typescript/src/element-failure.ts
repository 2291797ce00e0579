import { status } from "@grpc/grpc-js";
import { BpfmapError } from "./errors.js";
import type { ElementFailure } from "./gen/bpfmap/v1/element_pb.js";
import { ErrorReason } from "./gen/bpfmap/v1/error_pb.js";

/** The reasons that concern one element, with the status of a call that fails with them. */
const FAILURES: Partial<Record<ErrorReason, { code: status; message: string }>> = {
  [ErrorReason.ELEMENT_NOT_FOUND]: {
    code: status.NOT_FOUND,
    message: "the map has no element with this key",
  },
  [ErrorReason.ELEMENT_EXISTS]: {
    code: status.ALREADY_EXISTS,
    message: "the map has an element with this key already",
  },
  [ErrorReason.MAP_FULL]: {
    code: status.RESOURCE_EXHAUSTED,
    message: "the map has no room for a further element",
  },
};

/** The error of an element that was refused while the call went on. */
export function elementError({ index, reason }: ElementFailure): BpfmapError {
  const name = ErrorReason[reason] ?? String(reason);
  const { code, message } = FAILURES[reason] ?? {
    code: status.UNKNOWN,
    message: `the kernel refused the element: ${name}`,
  };
  return new BpfmapError(message, { code, reason: name, metadata: { index: String(index) } });
}
