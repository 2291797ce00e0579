import { type CallOptions as GrpcCallOptions, Metadata } from "@grpc/grpc-js";
import { cancelledBy } from "./connection.js";
import { invalidArgument } from "./errors.js";

/** Options that every call takes. */
export interface CallOptions {
  /** Cancels the call: it fails with CANCELLED, with the signal's reason as `cause`. */
  signal?: AbortSignal;
  /**
   * Milliseconds until the call fails with DEADLINE_EXCEEDED; Infinity for never.
   * Unary calls have ConnectOptions.deadlineMs by default, streams none.
   */
  deadlineMs?: number;
  /** Headers to send. */
  metadata?: Metadata;
}

/** Anything of grpc-js that can be cancelled. */
interface Cancellable {
  cancel(): void;
}

// A longer deadline overflows into DEADLINE_EXCEEDED on grpc-js servers; as it is
// more than 24 days, no deadline at all is the honest reading.
const MAX_DEADLINE_MS = 2 ** 31 - 1;

/** The headers and grpc-js options of a call. Throws INVALID_ARGUMENT for a deadline that is none. */
export function grpcOptions(
  options: CallOptions | undefined,
  defaultDeadlineMs: number,
): [Metadata, GrpcCallOptions] {
  const deadlineMs = checkDeadline(options?.deadlineMs ?? defaultDeadlineMs);
  return [
    options?.metadata ?? new Metadata(),
    deadlineMs > MAX_DEADLINE_MS ? {} : { deadline: Date.now() + deadlineMs },
  ];
}

/** Returns the deadline, or throws INVALID_ARGUMENT unless it is a positive number. */
export function checkDeadline(deadlineMs: number): number {
  if (!(deadlineMs > 0)) {
    throw invalidArgument(`deadlineMs is ${deadlineMs}: it must be above 0`, "deadlineMs");
  }
  return deadlineMs;
}

/** Throws CANCELLED where the signal has fired already, so that no call is made. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelledBy(signal);
}

/** Cancels the call when the signal fires. Returns how to stop listening to it. */
export function cancelOnAbort(signal: AbortSignal | undefined, call: Cancellable): () => void {
  if (signal === undefined) return () => {};
  const cancel = () => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  return () => signal.removeEventListener("abort", cancel);
}
