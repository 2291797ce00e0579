import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { type CallOptions, cancelOnAbort, grpcOptions, throwIfAborted } from "./call-options.js";
import type { Connection } from "./connection.js";
import { BpfmapError, invalidArgument } from "./errors.js";
import { RequestPump } from "./request-pump.js";
import { sendRequests } from "./request-stream.js";
import { ResponseStream } from "./response-stream.js";

/**
 * The RPCs of a service as methods:
 * - unary: `(request, options?) => Promise<Response>`;
 * - server stream: `(request, options?) => ResponseStream<Response>`, an async
 *   iterable that makes the call when it is first read and cancels it on `break`;
 * - client stream: `(requests: AsyncIterable, options?) => Promise<Response>`, which
 *   takes requests at the pace of the connection;
 * - both: `(requests: AsyncIterable, options?) => ResponseStream<Response>`.
 *
 * Requests are plain objects or messages. Every failure is a BpfmapError.
 */
export type ServiceClient<S extends DescService> = {
  readonly [K in keyof S["method"]]: MethodClient<S["method"][K]>;
};

type MethodClient<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: CallOptions) => ResponseStream<MessageShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (
            requests: AsyncIterable<MessageInitShape<I>>,
            options?: CallOptions,
          ) => Promise<MessageShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (
              requests: AsyncIterable<MessageInitShape<I>>,
              options?: CallOptions,
            ) => ResponseStream<MessageShape<O>>
          : never;

/** Makes the client of a service over a connection. */
export function createServiceClient<S extends DescService>(
  service: S,
  connection: Connection,
): ServiceClient<S> {
  const methods = service.methods.map((method) => [method.localName, rpc(method, connection)]);
  return Object.freeze(Object.fromEntries(methods)) as ServiceClient<S>;
}

type Request = MessageInitShape<DescMessage>;

function rpc(method: DescMethod, connection: Connection): unknown {
  switch (method.methodKind) {
    case "unary":
      return unary(method, connection);
    case "server_streaming":
      return serverStream(method, connection);
    case "client_streaming":
      return clientStream(method, connection);
    case "bidi_streaming":
      return bidiStream(method, connection);
  }
}

function unary(method: DescMethod, connection: Connection) {
  const path = pathOf(method);
  const decode = decoder(method.output);
  return async (request: Request, options?: CallOptions): Promise<unknown> => {
    throwIfAborted(options?.signal);
    const bytes = encode(method.input, request);
    const [metadata, grpc] = grpcOptions(options, connection.deadlineMs);
    let ignoreSignal = () => {};
    try {
      return await new Promise((resolve, reject) => {
        const call = connection.start((client) =>
          client.makeUnaryRequest(path, asBuffer, decode, bytes, metadata, grpc, (error, answer) =>
            error === null ? resolve(answer) : reject(error),
          ),
        );
        ignoreSignal = cancelOnAbort(options?.signal, call);
      });
    } catch (error) {
      throw connection.errorOf(error, options?.signal);
    } finally {
      ignoreSignal();
    }
  };
}

function serverStream(method: DescMethod, connection: Connection) {
  const path = pathOf(method);
  const decode = decoder(method.output);
  return (request: Request, options?: CallOptions) =>
    new ResponseStream(
      () => {
        const bytes = encode(method.input, request);
        const [metadata, grpc] = grpcOptions(options, Number.POSITIVE_INFINITY);
        return connection.start((client) =>
          client.makeServerStreamRequest(path, asBuffer, decode, bytes, metadata, grpc),
        );
      },
      (error) => connection.errorOf(error, options?.signal),
      options?.signal,
    );
}

function clientStream(method: DescMethod, connection: Connection) {
  const path = pathOf(method);
  const decode = decoder(method.output);
  return async (requests: AsyncIterable<Request>, options?: CallOptions): Promise<unknown> => {
    const [metadata, grpc] = grpcOptions(options, Number.POSITIVE_INFINITY);
    return sendRequests(
      (callback) =>
        connection.start((client) =>
          client.makeClientStreamRequest(path, asBuffer, decode, metadata, grpc, callback),
        ),
      (error) => connection.errorOf(error, options?.signal),
      encodeAll(method.input, requests),
      options?.signal,
    );
  };
}

function bidiStream(method: DescMethod, connection: Connection) {
  const path = pathOf(method);
  const decode = decoder(method.output);
  return (requests: AsyncIterable<Request>, options?: CallOptions) => {
    const [metadata, grpc] = grpcOptions(options, Number.POSITIVE_INFINITY);
    const pump = new RequestPump(encodeAll(method.input, requests));
    let thrown: { readonly error: unknown } | undefined;
    return new ResponseStream(
      () => {
        const call = connection.start((client) =>
          client.makeBidiStreamRequest(path, asBuffer, decode, metadata, grpc),
        );
        call.once("close", () => pump.stop());
        pump.run(call).catch((error) => {
          thrown = { error };
          call.cancel();
        });
        return call;
      },
      (error) =>
        thrown ? requestsFailed(thrown.error) : connection.errorOf(error, options?.signal),
      options?.signal,
    );
  };
}

/** The error of a call that ended as its requests could not go on. */
function requestsFailed(error: unknown): BpfmapError {
  if (error instanceof BpfmapError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new BpfmapError(`the requests ended with an error: ${why}`, {
    code: status.CANCELLED,
    cause: error,
  });
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function decoder(schema: DescMessage): (bytes: Buffer) => unknown {
  // Byte fields become views of what they are parsed from, and callers are to see
  // Uint8Array, not Buffer.
  return ({ buffer, byteOffset, byteLength }) =>
    fromBinary(schema, new Uint8Array(buffer, byteOffset, byteLength));
}

async function* encodeAll(
  schema: DescMessage,
  requests: AsyncIterable<Request>,
): AsyncGenerator<Uint8Array, void> {
  for await (const request of requests) yield encode(schema, request);
}

/** Numbers out of range and values of the wrong type come to light here, before anything is sent. */
function encode(schema: DescMessage, request: Request): Uint8Array {
  try {
    return toBinary(schema, create(schema, request));
  } catch (cause) {
    const error = invalidArgument(cause instanceof Error ? cause.message : String(cause));
    error.cause = cause;
    throw error;
  }
}

/** grpc-js calls Buffer methods on what it sends; this is the same memory seen as one. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
