import type { ServerInterceptingCall, ServerInterceptor } from "@grpc/grpc-js";

/** Bytes that gRPC has before a message: whether it is compressed, and its length. */
export const FRAME_HEADER = 5;

const FRAME = Symbol("frame");
const ON_SENT = Symbol("on sent");

/** A message with its frame before it in the same memory. */
interface FramedMessage extends Buffer {
  [FRAME]?: Buffer;
  [ON_SENT]?: (() => void) | undefined;
}

/**
 * The message between `start` and `end`, with its frame written into the FRAME_HEADER
 * bytes before it: {@link frameInPlaceInterceptor} then sends it as it is, where grpc-js
 * would copy a megabyte on the thread that answers lookups.
 *
 * @param onSent called when the memory is used no more, by {@link messageSent}
 */
export function framed(bytes: Uint8Array, start: number, end: number, onSent?: () => void): Buffer {
  const offset = bytes.byteOffset + start;
  const frame = Buffer.from(bytes.buffer, offset - FRAME_HEADER, end - start + FRAME_HEADER);
  putHeader(frame, 0, end - start);
  const message: FramedMessage = frame.subarray(FRAME_HEADER);
  message[FRAME] = frame;
  message[ON_SENT] = onSent;
  return message;
}

/** To be called when the operating system has taken all of a message. */
export function messageSent(message: Buffer): void {
  (message as FramedMessage)[ON_SENT]?.();
}

/** Whether grpc-js sends frames as they are, known from the first call of a stream on. */
let isInPlace = false;

/** Whether {@link joinFrames} may join more than one message. */
export function canJoinFrames(): boolean {
  return isInPlace;
}

/** Several messages of a stream as one, for grpc-js to write at once; one as it is. */
export function joinFrames(messages: readonly Buffer[]): Buffer {
  const [first = Buffer.alloc(0)] = messages;
  if (messages.length < 2) return first;
  const bytes = messages.reduce((sum, { length }) => sum + FRAME_HEADER + length, 0);
  const frames = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const message of messages) {
    putHeader(frames, at, message.length);
    frames.set(message, at + FRAME_HEADER);
    at += FRAME_HEADER + message.length;
  }
  const joined: FramedMessage = frames;
  joined[FRAME] = frames;
  return joined;
}

/** Writes that a message of this length follows, which is not compressed. */
function putHeader(frame: Buffer, at: number, length: number): void {
  frame[at] = 0;
  frame.writeUInt32BE(length, at + 1);
}

interface CallInside {
  serializeMessage?: (message: unknown) => Buffer;
}

/**
 * Lets streams send messages with the frame that they have. It replaces an inner method of
 * grpc-js' call; where a later grpc-js has none, messages are copied and nothing else.
 */
export const frameInPlaceInterceptor: ServerInterceptor = (method, call) => {
  const inside = call as CallInside;
  const serialize = inside.serializeMessage;
  if (method.responseStream && serialize !== undefined) {
    isInPlace = true;
    inside.serializeMessage = (message) =>
      (message as FramedMessage)[FRAME] ?? serialize.call(call, message);
  }
  return call as ServerInterceptingCall;
};
