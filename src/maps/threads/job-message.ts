import type { MessagePort, TransferListItem } from "node:worker_threads";
import { explainKernelError } from "../explain.js";
import { type FieldViolation, MapError, type MapErrorReason } from "../map-error.js";
import type { JobPort } from "./local-port.js";

/** Outputs, and inputs, that may be on their way or waiting at once. */
export const WINDOW = 4;

/** What starts a job on a thread; `port` is the job's own. */
export interface JobStart {
  readonly kind: string;
  readonly args: unknown;
  readonly port: MessagePort;
}

/** What the main thread tells a job. */
export type ToJob =
  | { readonly type: "credit" }
  | { readonly type: "input"; readonly value: unknown }
  | { readonly type: "end" }
  | { readonly type: "cancel" };

/** What a job tells the main thread; `done` and `failed` are its last word. */
export type FromJob =
  | { readonly type: "output"; readonly value: unknown }
  | { readonly type: "credit" }
  | { readonly type: "done"; readonly result: unknown }
  | { readonly type: "failed"; readonly error: PortableError };

/** An input whose memory goes over to the job with it: its sender has it no more. */
export class Handover {
  constructor(
    readonly value: unknown,
    readonly memory: readonly ArrayBuffer[],
  ) {}
}

/** Sends a message of the protocol. */
export function post(
  port: JobPort,
  message: ToJob | FromJob,
  transfer: readonly TransferListItem[] = [],
): void {
  port.postMessage(message, transfer);
}

/** An error as it crosses between threads, which keep no classes. */
export interface PortableError {
  readonly reason: MapErrorReason;
  readonly message: string;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Stack of an error that is a defect. */
  readonly stack?: string | undefined;
}

/** Makes an error fit to cross. */
export function toPortable(thrown: unknown): PortableError {
  const error = explainKernelError(thrown, "a scan") ?? thrown;
  if (error instanceof MapError) {
    const { reason, message, violations, metadata } = error;
    return { reason, message, violations, metadata };
  }
  const stack = error instanceof Error ? error.stack : String(error);
  return {
    reason: "INTERNAL",
    message: "a scan thread failed",
    violations: [],
    metadata: {},
    stack,
  };
}

/** The error that crossed. */
export function fromPortable(error: PortableError): MapError {
  return new MapError(error.reason, error.message, {
    violations: error.violations,
    metadata: error.metadata,
    cause: error.stack === undefined ? undefined : causeOf(error.stack),
  });
}

/** What failed in the other thread, as an error: the log tells no cause that is none. */
function causeOf(stack: string): Error {
  return Object.assign(new Error(stack.split("\n", 1)[0]), { stack });
}
