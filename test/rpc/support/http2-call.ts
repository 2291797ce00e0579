import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { createConnection } from "node:net";
import { onTestFinished } from "vitest";
import { rpcPath } from "./raw-server.js";

/** A call made without grpc-js, so that nothing reads or buffers but what the test does. */
export interface Http2Call {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
}

/**
 * Makes a call over HTTP/2. A Buffer is the only message; a list of them is the beginning
 * of a stream, which stays open. Nothing is read until the test reads.
 */
export function http2Call(
  socket: string,
  rpc: string,
  messages: Buffer | readonly Buffer[],
  headers: Record<string, string> = {},
): Http2Call {
  const session = connect("http://localhost", { createConnection: () => createConnection(socket) });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  const stream = session.request({
    ":method": "POST",
    ":path": rpcPath(rpc),
    "content-type": "application/grpc+proto",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  stream.pause();
  if (Buffer.isBuffer(messages)) stream.end(framed(messages));
  else for (const message of messages) stream.write(framed(message));
  return { session, stream };
}

/** A message in gRPC's framing: no compression, length, bytes. */
function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
