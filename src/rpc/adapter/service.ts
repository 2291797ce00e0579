import { setMaxListeners } from "node:events";
import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type {
  Server,
  ServiceDefinition,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { RpcRule } from "../gate/rpc-rules.js";
import { bidiStream } from "./bidi-stream.js";
import { clientStream } from "./client-stream.js";
import { decode } from "./codec.js";
import type { CallRuntime, MethodHandler } from "./runtime.js";
import type { CallContext } from "./server-call.js";
import { serverStream } from "./server-stream.js";
import { unary } from "./unary.js";

/**
 * The handlers of a service, by the RPC's name in camel case. They are plain functions:
 * they get messages that are decoded and valid, return or yield messages (or what
 * `create` takes, or Buffers that are encoded already), and throw MapError; whatever else
 * they throw is a defect.
 */
export type ServiceHandlers<S extends DescService> = {
  readonly [K in keyof S["method"]]: HandlerOf<S["method"][K]>;
};

type HandlerOf<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => Promise<MessageInitShape<O> | Buffer>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (
          request: MessageShape<I>,
          context: CallContext,
        ) => AsyncIterable<MessageInitShape<O> | Buffer>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (
            requests: AsyncIterable<MessageShape<I>>,
            context: CallContext,
          ) => Promise<MessageInitShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (
              requests: AsyncIterable<MessageShape<I>>,
              context: CallContext,
            ) => AsyncIterable<MessageInitShape<O> | Buffer>
          : never;

/** Who may call each RPC of a service, by the RPC's name in camel case. */
export type ServiceRules<S extends DescService> = {
  readonly [K in keyof S["method"]]: RpcRule;
};

/** Lets a grpc-js server serve a protobuf-es service with these handlers, to those of the rules. */
export function addService<S extends DescService>(
  server: Server,
  service: S,
  handlers: ServiceHandlers<S>,
  rules: ServiceRules<S>,
  runtime: CallRuntime,
): void {
  // Every call in flight listens; Node would take more than ten for a leak.
  setMaxListeners(0, runtime.streamsStopping, runtime.unaryStopping);
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const method of service.methods) {
    const served = methodDefinition(method);
    definition[method.localName] = served;
    const rule = rules[method.localName as keyof typeof rules];
    runtime.gate?.open(served.path, rule, method.methodKind !== "unary");
    const handler = handlers[method.localName as keyof typeof handlers];
    implementation[method.localName] = methodCall(method, handler as MethodHandler, runtime);
  }
  server.addService(definition, implementation);
}

function methodDefinition(method: DescMethod): ServiceDefinition[string] {
  const passThrough = (bytes: Buffer) => bytes;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream:
      method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream:
      method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestDeserialize: (bytes: Buffer) => decode(method.input, bytes),
    responseSerialize: passThrough,
    // Only clients use these two.
    requestSerialize: passThrough,
    responseDeserialize: passThrough,
  };
}

function methodCall(
  method: DescMethod,
  handler: MethodHandler,
  runtime: CallRuntime,
): UntypedHandleCall {
  switch (method.methodKind) {
    case "unary":
      return unary(method, handler, runtime);
    case "server_streaming":
      return serverStream(method, handler, runtime);
    case "client_streaming":
      return clientStream(method, handler, runtime);
    case "bidi_streaming":
      return bidiStream(method, handler, runtime);
  }
}
