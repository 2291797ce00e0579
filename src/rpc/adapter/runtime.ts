import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { explainKernelError, MapError } from "../../maps/index.js";
import type { CallCourses } from "../call-courses.js";
import { type CallStatus, errorStatus, StatusError } from "../error-status.js";
import type { CallGate } from "../gate/call-gate.js";
import { type CallContext, CallEnded } from "./server-call.js";

/** A handler whose types the service's descriptor vouches for. */
// biome-ignore lint/suspicious/noExplicitAny: the adapter calls handlers of all four kinds.
export type MethodHandler = (request: any, context: CallContext) => any;

/** What a handler may answer with: a message, what `create` takes, or encoded bytes. */
export type Answer = MessageInitShape<DescMessage> | Buffer;

/** What the adapter needs to know of the daemon around it. */
export interface CallRuntime {
  /** Largest answer, in bytes. */
  readonly maxMessageBytes: number;
  /** Aborted when the daemon stops, for streams: at once. */
  readonly streamsStopping: AbortSignal;
  /** Aborted when the daemon stops, for unary calls: when they have had their time. */
  readonly unaryStopping: AbortSignal;
  /** Throws a MapError for a request that breaks a rule of the contract. */
  validate(schema: DescMessage, message: Message): void;
  /** The courses of calls that are observed; undefined where nobody observes. */
  readonly courses?: CallCourses | undefined;
  /** Who asks callers who they are; undefined where nobody does. */
  readonly gate?: CallGate | undefined;
  /** Tells of a defect: an error that is not the client's doing and has no reason. */
  reportDefect(error: unknown, context: CallContext): void;
}

/**
 * The status of whatever a handler threw; undefined where the client is gone and nobody
 * waits for it. Causes are logged and never sent.
 */
export function failureStatus(
  thrown: unknown,
  context: CallContext,
  runtime: CallRuntime,
): CallStatus | undefined {
  const ended = isAbortError(thrown) ? context.signal.reason : thrown;
  const error = explainKernelError(ended, context.rpc) ?? ended;
  if (error instanceof CallEnded) return undefined;
  if (error instanceof StatusError) {
    return { code: error.code, details: error.message, metadata: new Metadata() };
  }
  if (error instanceof MapError) {
    if (error.reason === "INTERNAL") runtime.reportDefect(error, context);
    return errorStatus(error);
  }
  runtime.reportDefect(error, context);
  return errorStatus(
    new MapError("INTERNAL", `${context.rpc} failed by a defect of the daemon; its log has more`),
  );
}

/** What Node's own functions throw when their signal is aborted; the signal knows why. */
export function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
