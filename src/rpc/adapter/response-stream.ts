import type { DescMethod } from "@bufbuild/protobuf";
import type { CallCourse } from "../call-observer.js";
import type { CallStatus } from "../error-status.js";
import type { CallGuard } from "../gate/call-guard.js";
import { canJoinFrames, joinFrames, messageSent } from "../grpc-frame.js";
import { encode } from "./codec.js";
import { type Answer, type CallRuntime, failureStatus, isAbortError } from "./runtime.js";
import type { ServerCall } from "./server-call.js";
import { untilAborted } from "./until-aborted.js";

/**
 * Bytes of a stream that wait for the client. grpc-js counts messages, 16 of them
 * whatever their size; this much keeps the connection busy.
 */
const MAX_QUEUED_BYTES = 2 * 1024 * 1024;

/** Bytes up to which messages are copied to be written together. */
const MAX_JOINED_BYTES = 64 * 1024;

/** How many of these messages, from the first, are written together. */
function joinable(messages: readonly Buffer[]): number {
  if (!canJoinFrames()) return 1;
  let bytes = 0;
  const tooMany = messages.findIndex((message) => {
    bytes += message.byteLength;
    return bytes > MAX_JOINED_BYTES;
  });
  return tooMany < 0 ? messages.length : Math.max(1, tooMany);
}

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
  const queue = new ResponseQueue(call, context);
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
    queue.release();
    await context.guard?.audit?.ended({ answer: undefined });
    call.end();
  } catch (error) {
    queue.release();
    await context.guard?.audit?.ended({ error: isAbortError(error) ? signal.reason : error });
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

/**
 * Counts the bytes that were written and have not left yet. grpc-js writes a message when
 * the one before has left, each in a turn of the event loop: small ones that wait
 * meanwhile are written together.
 */
class ResponseQueue {
  readonly #call: ResponseCall;
  readonly #course: CallCourse | undefined;
  readonly #guard: CallGuard | undefined;
  #queued = 0;
  #wake: (() => void) | undefined;
  #isWriting = false;
  #waiting: Buffer[] = [];

  constructor(call: ResponseCall, { course, guard }: ServerCall) {
    this.#call = call;
    this.#course = course;
    this.#guard = guard;
  }

  /** One message may wait in any case, so that every stream goes on. */
  get #hasRoom(): boolean {
    if (this.#queued === 0) return true;
    return this.#queued < MAX_QUEUED_BYTES && !this.#guard?.share.isOver;
  }

  /**
   * Queues a message; a promise where the queue is full, until it has room. The promise
   * never settles where the call is cancelled meanwhile: wait with its signal.
   */
  write(bytes: Buffer): Promise<void> | undefined {
    this.#count(bytes.byteLength);
    this.#waiting.push(bytes);
    if (!this.#isWriting) this.#writeNext();
    if (this.#hasRoom) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Gives grpc-js all that waits: nothing more is to come. */
  release(): void {
    for (const bytes of this.#waiting.splice(0)) this.#send(bytes, bytes.byteLength);
  }

  #writeNext(): void {
    const count = joinable(this.#waiting);
    const together = this.#waiting.splice(0, count);
    const bytes = together.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#isWriting = true;
    // Joined messages are copies, whose memory nobody waits for.
    this.#send(joinFrames(together), bytes);
  }

  #send(message: Buffer, bytes: number): void {
    // Called where the message was sent, and not where the call has failed.
    this.#call.write(message, () => {
      messageSent(message);
      this.#count(-bytes);
      this.#isWriting = false;
      if (this.#waiting.length > 0) this.#writeNext();
      if (this.#hasRoom) this.#wake?.();
    });
  }

  #count(bytes: number): void {
    this.#queued += bytes;
    this.#course?.queued?.(bytes);
    if (bytes > 0) this.#guard?.share.addBytes(bytes);
    else this.#guard?.share.giveBytes(-bytes);
  }
}
