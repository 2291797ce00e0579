import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { ServerReadableStream } from "@grpc/grpc-js";
import { sizeOf, Undecodable } from "./codec.js";
import { nameMap } from "./named-map.js";
import type { CallRuntime } from "./runtime.js";
import { type CallContext, CallEnded, type ServerCall } from "./server-call.js";

/** Messages that are read ahead of the handler. Any may be as large as a message can be. */
const READ_AHEAD = 2;

/** The message that was decoded, if it is one and keeps the contract's rules. */
export function checkRequest(
  method: DescMethod,
  request: unknown,
  { course }: CallContext,
  runtime: CallRuntime,
): Message {
  if (request instanceof Undecodable) throw request.toError();
  const message = request as Message;
  runtime.validate(method.input, message);
  if (course?.named) nameMap(course, message);
  return message;
}

/**
 * The messages of a client's stream, read at the handler's pace. It ends when the client
 * has ended it, and throws when the stream was cut: never mistakes one for the other.
 */
export async function* requestStream(
  method: DescMethod,
  call: ServerReadableStream<unknown, unknown>,
  context: ServerCall,
  runtime: CallRuntime,
): AsyncGenerator<Message, void> {
  const { signal, guard } = context;
  limitReadAhead(call);
  try {
    // Iterating would destroy the stream at its end, and with it the way to answer.
    for await (const request of call.iterator({ destroyOnReturn: false })) {
      signal.throwIfAborted();
      const message = checkRequest(method, request, context, runtime);
      if (guard?.audit) await guard.audit.requested(message);
      yield message;
      guard?.share.giveBytes(sizeOf(request));
    }
  } catch (error) {
    signal.throwIfAborted();
    // What a destroyed stream throws; grpc-js destroys it where the connection is gone.
    if (isPrematureClose(error)) throw new CallEnded("the client's stream was cut");
    throw error;
  }
  signal.throwIfAborted();
}

/**
 * grpc-js makes its streams with room for 16 objects whatever their size, which are
 * 16 times the message limit for each call. Nothing has been read when this is set.
 */
function limitReadAhead(call: ServerReadableStream<unknown, unknown>): void {
  const { _readableState: state } = call as unknown as {
    _readableState: { highWaterMark: number };
  };
  state.highWaterMark = READ_AHEAD;
}

function isPrematureClose(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ERR_STREAM_PREMATURE_CLOSE" || code === "ABORT_ERR";
}
