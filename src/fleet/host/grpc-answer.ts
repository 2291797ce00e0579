import type { IncomingHttpHeaders } from "node:http2";
import { StatusSchema } from "@bpfmapd/client/proto";
import { create, toBinary } from "@bufbuild/protobuf";

/** Bytes that gRPC has before a message: whether it is compressed, and its length. */
const FRAME_HEADER = 5;
const UNKNOWN = 2;

/** A message with gRPC's header before it. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, FRAME_HEADER);
  return frame;
}

/** The messages in gRPC's frames, as they come. */
export async function* unframed(chunks: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array, void> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  let wanted = FRAME_HEADER;
  for await (const chunk of chunks) {
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes < wanted) continue;
    let rest = waiting.length === 1 ? chunk : Buffer.concat(waiting);
    for (wanted = frameBytes(rest); rest.length >= wanted; wanted = frameBytes(rest)) {
      yield rest.subarray(FRAME_HEADER, wanted);
      rest = rest.subarray(wanted);
    }
    waiting = rest.length > 0 ? [rest] : [];
    bytes = rest.length;
  }
}

/** Bytes of the first frame, or as many as are needed to know. */
function frameBytes(bytes: Buffer): number {
  return bytes.length < FRAME_HEADER ? FRAME_HEADER : FRAME_HEADER + bytes.readUInt32BE(1);
}

/** The error in a call's trailers, as a serialized google.rpc.Status; empty for OK. */
export function errorIn(trailers: IncomingHttpHeaders): Uint8Array {
  const code = Number(trailers["grpc-status"] ?? UNKNOWN);
  if (code === 0) return new Uint8Array(0);
  const details = trailers["grpc-status-details-bin"];
  if (typeof details === "string") return Buffer.from(details, "base64");
  return statusBytes(code, decode(String(trailers["grpc-message"] ?? "")));
}

/** A serialized google.rpc.Status without details. */
export function statusBytes(code: number, message: string): Uint8Array {
  return toBinary(StatusSchema, create(StatusSchema, { code, message }));
}

function decode(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
