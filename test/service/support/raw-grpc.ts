import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectSocket } from "node:net";

/** How a call ended. */
export interface Outcome {
  /** The gRPC status; undefined where the stream was cut without one. */
  readonly status: number | undefined;
  readonly message: string;
  /** The status with its details, a serialized google.rpc.Status, where there are any. */
  readonly details: Buffer | undefined;
  /** The status of HTTP; undefined where there was no answer at all. */
  readonly http: number | undefined;
  /** The code of RST_STREAM with which the stream ended, 0 for none. */
  readonly rstCode: number;
  /** Bytes of the answer, frames and all. */
  readonly body: Buffer;
}

/**
 * A gRPC client that sends whatever bytes it is given: no library checks or mends them.
 * It also costs less than one, which counts where calls are many.
 */
export class RawConnection {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  /** Connects to a daemon's unix socket. */
  static async open(socket: string): Promise<RawConnection> {
    const session = connect("http://localhost", { createConnection: () => connectSocket(socket) });
    await once(session, "connect");
    session.on("error", () => {}); // calls tell
    return new RawConnection(session);
  }

  /** Starts a call; the request is still to be sent. Headers that are undefined are left out. */
  start(rpc: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    return this.#session.request({
      ":method": "POST",
      ":path": `/${rpc}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
  }

  /** Sends a body as it is and waits for the end of the call. */
  call(rpc: string, body: Uint8Array, headers?: OutgoingHttpHeaders): Promise<Outcome> {
    const stream = this.start(rpc, headers);
    const ended = outcomeOf(stream);
    stream.end(body);
    return ended;
  }

  /** Whether the connection still stands. */
  get isOpen(): boolean {
    return !this.#session.destroyed && !this.#session.closed;
  }

  /** Cuts the connection without a goodbye. */
  destroy(): void {
    this.#session.destroy();
  }
}

/** How a call ends. */
export function outcomeOf(stream: ClientHttp2Stream): Promise<Outcome> {
  return new Promise((resolve) => {
    let headers: Record<string, unknown> = {};
    const parts: Buffer[] = [];
    // A refusal without an answer has its status among the headers.
    stream.on("response", (response) => {
      headers = { ...response };
    });
    stream.on("trailers", (trailers) => {
      headers = { ...headers, ...trailers };
    });
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("error", () => {}); // "close" follows
    stream.on("close", () => {
      const status = headers["grpc-status"];
      const details = headers["grpc-status-details-bin"];
      const http = headers[":status"];
      resolve({
        status: status === undefined ? undefined : Number(status),
        message: decodeURIComponent(String(headers["grpc-message"] ?? "")),
        details: details === undefined ? undefined : Buffer.from(String(details), "base64"),
        http: http === undefined ? undefined : Number(http),
        rstCode: stream.rstCode ?? 0,
        body: Buffer.concat(parts),
      });
    });
  });
}

/** Cancels a call as a client does that wants no more of it. */
export function cancel(stream: ClientHttp2Stream): void {
  stream.close(constants.NGHTTP2_CANCEL);
}

/** Messages with their gRPC frames around them. */
export function frames(...messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => {
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length, 1);
      return [prefix, message];
    }),
  );
}

/** The whole messages of a body of gRPC frames. */
export function messagesOf(body: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  let at = 0;
  while (body.length - at >= 5) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) break;
    messages.push(body.subarray(at + 5, end));
    at = end;
  }
  return messages;
}

/** Makes calls, at most `width` of them at a time. */
export async function inParallel(
  count: number,
  width: number,
  call: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const run = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: width }, run));
}
