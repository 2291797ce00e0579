import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import type { CallStart } from "@bpfmapd/client/proto";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { IncomingMessages, SendWindow, sendMessage } from "../session/message-parts.js";
import { roomIn } from "../session/stream-room.js";
import { errorIn, framed, statusBytes, unframed } from "./grpc-answer.js";

const CANCELLED = 1;
const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;

/** gRPC's timeouts have eight digits at most. */
const MAX_TIMEOUT_MS = 99_999_999;

/** How a call's frames go up to the relay. */
export interface AnswerFrames {
  data(callId: number, data: Uint8Array, more: boolean): Promise<void>;
  end(callId: number, error: Uint8Array): Promise<void>;
  credit(callId: number, bytes: number): void;
}

/** What is the same for all calls of a session. */
export interface LocalCallOptions {
  readonly frames: AnswerFrames;
  readonly creditBytes: number;
  readonly maxMessageBytes: number;
}

/** One call that came down a session, made at the host's own server. */
export class LocalCall {
  readonly id: number;
  readonly #frames: AnswerFrames;
  readonly #window: SendWindow;
  readonly #requests: IncomingMessages;
  #stream: ClientHttp2Stream | undefined;
  #error: Uint8Array | undefined;

  constructor(id: number, { frames, creditBytes, maxMessageBytes }: LocalCallOptions) {
    this.id = id;
    this.#frames = frames;
    this.#window = new SendWindow(creditBytes);
    this.#requests = new IncomingMessages(maxMessageBytes, (bytes) => frames.credit(id, bytes));
  }

  /** Makes the call; settles when its end was told, or nobody wants to know. */
  async run(session: ClientHttp2Session, start: CallStart): Promise<void> {
    const stream = session.request(headersOf(start), { endStream: false });
    this.#stream = stream;
    // Its failure shows where it is read.
    stream.on("error", () => {});
    let trailers: Parameters<typeof errorIn>[0] = {};
    stream.on("response", (headers) => {
      if (headers["grpc-status"] !== undefined) trailers = headers;
    });
    stream.on("trailers", (given) => {
      trailers = given;
    });
    const closed = stream.closed ? Promise.resolve() : once(stream, "close").catch(() => {});
    void this.#sendRequests(stream).catch(() => {});
    try {
      for await (const message of unframed(stream)) {
        await sendMessage(message, this.#window, (data, more) =>
          this.#frames.data(this.id, data, more),
        );
      }
    } catch {
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await closed;
    this.#requests.end();
    await this.#frames.end(this.id, this.#error ?? outcomeOf(trailers));
  }

  /** A part of a request has come. */
  receive(data: Uint8Array, more: boolean): void {
    try {
      this.#requests.receive(data, more);
    } catch (error) {
      this.cancel(statusBytes(RESOURCE_EXHAUSTED, (error as Error).message));
    }
  }

  /** No further request comes. */
  halfClose(): void {
    this.#requests.end();
  }

  /** The relay takes more. */
  grant(bytes: number): void {
    this.#window.grant(bytes);
  }

  /** Nobody waits for the answer any more. */
  cancel(error = statusBytes(CANCELLED, "the call was cancelled")): void {
    this.#error ??= error;
    this.#window.fail(new Error("the call was cancelled"));
    this.#stream?.close(constants.NGHTTP2_CANCEL);
    void this.#requests.return();
  }

  async #sendRequests(stream: ClientHttp2Stream): Promise<void> {
    for await (const request of this.#requests) {
      if (stream.destroyed || stream.closed) return;
      if (!stream.write(framed(request))) await roomIn(stream);
    }
    // What was cancelled is cut, and not ended: half a load is none.
    if (this.#error === undefined && !stream.destroyed) stream.end();
  }
}

function outcomeOf(trailers: Parameters<typeof errorIn>[0]): Uint8Array {
  if (trailers["grpc-status"] !== undefined) return errorIn(trailers);
  return statusBytes(
    UNAVAILABLE,
    "the host's daemon has cut the call off: it is stopping, or the caller has as many connections as it may",
  );
}

function headersOf({ rpc, timeout, requestId }: CallStart) {
  const ms = timeout && Math.min(MAX_TIMEOUT_MS, Math.max(1, Math.ceil(durationMs(timeout))));
  return {
    ":method": "POST",
    ":path": `/${rpc}`,
    "content-type": "application/grpc",
    te: "trailers",
    ...(ms !== undefined && { "grpc-timeout": `${ms}m` }),
    ...(requestId !== "" && { "x-request-id": requestId }),
  };
}
