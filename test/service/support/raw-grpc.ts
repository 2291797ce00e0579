import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { connect as connectSocket } from "node:net";

/** How a call ended. */
export interface Outcome {
  /** The gRPC status; undefined where the stream was cut without one. */
  readonly status: number | undefined;
  readonly message: string;
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

  /** Starts a call; the request is still to be sent. */
  start(rpc: string): ClientHttp2Stream {
    return this.#session.request({
      ":method": "POST",
      ":path": `/${rpc}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
  }

  /** Sends a body as it is and waits for the end of the call. */
  call(rpc: string, body: Uint8Array): Promise<Outcome> {
    const stream = this.start(rpc);
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
      resolve({
        status: status === undefined ? undefined : Number(status),
        message: decodeURIComponent(String(headers["grpc-message"] ?? "")),
        body: Buffer.concat(parts),
      });
    });
  });
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
