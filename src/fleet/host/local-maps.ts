import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { type CallOrigin, ErrorInfoSchema, MapService, StatusSchema } from "@bpfmapd/client/proto";
import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { MapCalls } from "../reconcile/index.js";
import { roomIn } from "../session/stream-room.js";
import { errorIn, framed, unframed } from "./grpc-answer.js";
import type { LocalServer } from "./local-server.js";

/** A call of the host's own server was not answered with OK. */
export class LocalCallError extends Error {
  override readonly name = "LocalCallError";

  /** @param reason ErrorInfo.reason; "" where there is none */
  constructor(
    message: string,
    readonly reason: string,
  ) {
    super(message);
  }
}

/**
 * MapService of the host's own server, for one who may call it: whatever holds for calls of his
 * holds for these.
 * @param requestId tells in the audit what the calls are for
 */
export function localMaps(server: LocalServer, origin: CallOrigin, requestId: string): MapCalls {
  const unary =
    <M extends DescMethod>(method: M) =>
    (request: MessageInitShape<M["input"]>, { signal }: { readonly signal: AbortSignal }) =>
      call(server, { origin, requestId, method, signal }, only(request));
  const { method } = MapService;
  return {
    getMap: unary(method.getMap),
    createMap: unary(method.createMap),
    countElements: unary(method.countElements),
    lookupElements: unary(method.lookupElements),
    updateElements: unary(method.updateElements),
    deleteElements: unary(method.deleteElements),
    loadMap: (requests, { signal }) =>
      call(server, { origin, requestId, method: method.loadMap, signal }, requests),
  };
}

async function* only<T>(request: T): AsyncGenerator<T> {
  yield request;
}

interface Call<M extends DescMethod> {
  readonly origin: CallOrigin;
  readonly requestId: string;
  readonly method: M;
  readonly signal: AbortSignal;
}

async function call<M extends DescMethod>(
  server: LocalServer,
  made: Call<M>,
  requests: AsyncIterable<MessageInitShape<M["input"]>>,
): Promise<MessageShape<M["output"]>> {
  let answer: MessageShape<M["output"]> | undefined;
  await server.call(made.origin, async (session) => {
    answer = await callOn(session, made, requests);
  });
  if (answer === undefined) throw new LocalCallError("the call has no answer", "");
  return answer;
}

async function callOn<M extends DescMethod>(
  session: ClientHttp2Session,
  { method, requestId, signal }: Call<M>,
  requests: AsyncIterable<MessageInitShape<M["input"]>>,
): Promise<MessageShape<M["output"]> | undefined> {
  signal.throwIfAborted();
  const stream = session.request({
    ":method": "POST",
    ":path": `/${method.parent.typeName}/${method.name}`,
    "content-type": "application/grpc",
    te: "trailers",
    "x-request-id": requestId,
  });
  // Its failure shows where it is read.
  stream.on("error", () => {});
  const cancel = () => stream.close(constants.NGHTTP2_CANCEL);
  signal.addEventListener("abort", cancel, { once: true });
  const sending = send(stream, method, requests);
  try {
    const answer = await answerOf(stream, method);
    await sending;
    return answer;
  } catch (error) {
    cancel();
    signal.throwIfAborted();
    // Where the elements themselves could not be had, that is why.
    throw await sending.then(
      () => error,
      (cause) => cause,
    );
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

async function answerOf<M extends DescMethod>(
  stream: ClientHttp2Stream,
  method: M,
): Promise<MessageShape<M["output"]> | undefined> {
  let trailers: Parameters<typeof errorIn>[0] = {};
  stream.on("response", (headers) => {
    if (headers["grpc-status"] !== undefined) trailers = headers;
  });
  stream.on("trailers", (given) => {
    trailers = given;
  });
  let answer: MessageShape<M["output"]> | undefined;
  for await (const message of unframed(stream)) {
    answer = fromBinary<M["output"]>(method.output, message);
  }
  if (trailers["grpc-status"] === undefined) {
    throw new LocalCallError("the host's daemon has cut the call off: it is stopping", "");
  }
  const error = errorIn(trailers);
  if (error.length > 0) throw localError(error);
  return answer;
}

/** Sends all requests; an error of theirs cuts the call, so that half a load is none. */
async function send<M extends DescMethod>(
  stream: ClientHttp2Stream,
  method: M,
  requests: AsyncIterable<MessageInitShape<M["input"]>>,
): Promise<void> {
  try {
    for await (const request of requests) {
      if (stream.destroyed || stream.closed) return;
      const bytes = toBinary(method.input, create(method.input, request));
      if (!stream.write(framed(bytes))) await roomIn(stream);
    }
    if (!stream.destroyed) stream.end();
  } catch (error) {
    stream.close(constants.NGHTTP2_CANCEL);
    throw error;
  }
}

function localError(bytes: Uint8Array): LocalCallError {
  const { message, details } = fromBinary(StatusSchema, bytes);
  const infos = details.map((detail) => anyUnpack(detail, ErrorInfoSchema));
  return new LocalCallError(message, infos.find((info) => info !== undefined)?.reason ?? "");
}
