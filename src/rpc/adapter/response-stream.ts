import type { DescMethod } from "@bufbuild/protobuf";
import type { CallStatus } from "../error-status.js";
import { encode } from "./codec.js";
import { type Answer, type CallRuntime, failureStatus } from "./runtime.js";
import type { ServerCall } from "./server-call.js";
import { untilAborted } from "./until-aborted.js";

/**
 * Bytes of a stream that wait for the client. grpc-js counts messages, 16 of them
 * whatever their size; this much keeps the connection busy.
 */
const MAX_QUEUED_BYTES = 2 * 1024 * 1024;

/** The part of a call that answers are written to. */
interface ResponseCall {
  write(bytes: Buffer, sent: () => void): boolean;
  end(): unknown;
  /** grpc-js' way to end a stream with a status. */
  emit(event: "error", status: CallStatus): boolean;
}

/**
 * Sends what a handler yields, at the pace of the client, and ends the call with its
 * status. Where the call is aborted it answers at once and lets the handler wind up
 * after it.
 */
export async function sendResponses(
  method: DescMethod,
  answers: () => AsyncIterable<Answer>,
  call: ResponseCall,
  context: ServerCall,
  runtime: CallRuntime,
): Promise<void> {
  const { signal } = context;
  const queue = new ResponseQueue(call);
  let iterator: AsyncIterator<Answer> | undefined;
  try {
    signal.throwIfAborted();
    iterator = answers()[Symbol.asyncIterator]();
    for (;;) {
      const next = await untilAborted(iterator.next(), signal);
      if (next.done) {
        iterator = undefined;
        break;
      }
      const room = queue.write(encode(method.output, next.value, runtime.maxMessageBytes));
      if (room !== undefined) await untilAborted(room, signal);
    }
    call.end();
  } catch (error) {
    const status = failureStatus(error, context, runtime);
    if (status !== undefined) call.emit("error", status);
  } finally {
    context.settle();
    await windUp(iterator, context, runtime);
  }
}

/** Lets the handler run its `finally`; what it throws there has no call to go to. */
async function windUp(
  iterator: AsyncIterator<unknown> | undefined,
  context: ServerCall,
  runtime: CallRuntime,
): Promise<void> {
  try {
    await iterator?.return?.();
  } catch (error) {
    if (error !== context.signal.reason) runtime.reportDefect(error, context);
  }
}

/** Counts the bytes that were written and have not left yet. */
class ResponseQueue {
  readonly #call: ResponseCall;
  #queued = 0;
  #wake: (() => void) | undefined;

  constructor(call: ResponseCall) {
    this.#call = call;
  }

  /**
   * Queues a message; a promise where the queue is full, until it has room. The promise
   * never settles where the call is cancelled meanwhile: wait with its signal.
   */
  write(bytes: Buffer): Promise<void> | undefined {
    this.#queued += bytes.byteLength;
    this.#call.write(bytes, () => {
      this.#queued -= bytes.byteLength;
      if (this.#queued < MAX_QUEUED_BYTES) this.#wake?.();
    });
    if (this.#queued < MAX_QUEUED_BYTES) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
