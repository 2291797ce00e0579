import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { ServerInterceptingCall, ServerInterceptor } from "@grpc/grpc-js";

const PING_RETRY_MS = 5;

/**
 * Keeps a client's stream that was cut from looking like one that was ended: a load that
 * replaces would remove what the client had no time to send. There are two ways:
 *
 * - Node emits "end" on a stream that the peer reset, and grpc-js hands that on as the end
 *   of the requests, some ticks before it says "cancelled".
 * - Node's own HTTP/2 client, and so every grpc-js client, sends END_STREAM right before
 *   the RST_STREAM of a cancelled call (closeStream in lib/internal/http2/core.js).
 *
 * So the end is believed only after a ping has come back, which the client answers after
 * all that it sent before, and only if the stream is whole then.
 */
export const cutStreamInterceptor: ServerInterceptor = (method, call) => {
  if (method.requestStream && !method.responseStream) {
    const stream = http2StreamOf(call);
    const start = call.start.bind(call);
    call.start = (listener) =>
      start({
        onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
        onReceiveMessage: (message) => listener.onReceiveMessage(message),
        onReceiveHalfClose: () => whenWhole(stream, () => listener.onReceiveHalfClose()),
        onCancel: () => listener.onCancel(),
      });
  }
  // Interceptors must return what they are given or a wrapper; the type knows the latter only.
  return call as ServerInterceptingCall;
};

/** Calls back when the peer has answered a ping, unless the stream was cut till then. */
function whenWhole(stream: ServerHttp2Stream, ended: () => void): void {
  const { session } = stream;
  if (isCut(stream) || !isOpen(session)) return;
  pingsOf(session).afterNext(() => {
    if (!isCut(stream)) ended();
  });
}

/**
 * One ping after the other on a connection, each for all that asked before it left: a peer
 * that answers none, whatever it asks for, then costs one that is under way.
 */
class Pings {
  readonly #session: ServerHttp2Session;
  #asked: (() => void)[] = [];
  #isOut = false;

  constructor(session: ServerHttp2Session) {
    this.#session = session;
  }

  /** Calls back when a ping has come back that leaves from now on. */
  afterNext(answered: () => void): void {
    this.#asked.push(answered);
    if (!this.#isOut) this.#send();
  }

  #send(): void {
    if (!isOpen(this.#session)) return;
    const asked = this.#asked;
    this.#isOut = true;
    const isSent = this.#session.ping((error) => {
      this.#isOut = false;
      if (error !== null) return;
      for (const answered of asked) answered();
      if (this.#asked.length > 0) this.#send();
    });
    if (isSent) {
      this.#asked = [];
      return;
    }
    // Node allows ten pings at a time on a connection, and others may have sent them.
    this.#isOut = true;
    setTimeout(() => this.#send(), PING_RETRY_MS);
  }
}

const pings = new WeakMap<ServerHttp2Session, Pings>();

function pingsOf(session: ServerHttp2Session): Pings {
  const known = pings.get(session) ?? new Pings(session);
  pings.set(session, known);
  return known;
}

function isCut(stream: ServerHttp2Stream): boolean {
  return stream.aborted || stream.destroyed || Boolean(stream.rstCode);
}

function isOpen(session: ServerHttp2Stream["session"]): session is ServerHttp2Session {
  return session !== undefined && !session.destroyed;
}

/** Fails on a grpc-js that is built otherwise, rather than leave streams unguarded. */
function http2StreamOf(call: object): ServerHttp2Stream {
  const { stream } = call as { stream?: ServerHttp2Stream };
  if (stream === undefined) throw new Error("this @grpc/grpc-js has no stream in its calls");
  return stream;
}
