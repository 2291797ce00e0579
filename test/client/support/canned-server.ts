import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BpfmapClient, type ConnectOptions, connect } from "@bpfmapd/client";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HostService,
  MapService,
  StatusSchema,
} from "@bpfmapd/client/proto";
import {
  create,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
  type status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { onTestFinished } from "vitest";

// What only a server can provoke (a stream that is cut, a stalled answer, trailers
// that make no sense) is played by this one. How real maps behave is tested against
// the daemon.

type Handler<M> = M extends {
  methodKind: infer K;
  input: infer I extends Parameters<typeof fromBinary>[0];
  output: infer O extends Parameters<typeof fromBinary>[0];
}
  ? K extends "unary"
    ? handleUnaryCall<MessageShape<I>, MessageInitShape<O>>
    : K extends "server_streaming"
      ? handleServerStreamingCall<MessageShape<I>, MessageInitShape<O>>
      : handleClientStreamingCall<MessageShape<I>, MessageInitShape<O>>
  : never;

type Handlers<S extends DescService> = { [K in keyof S["method"]]?: Handler<S["method"][K]> };

/** The behaviours to play; other RPCs answer UNIMPLEMENTED. */
export type Behaviour = Handlers<typeof MapService> & Handlers<typeof HostService>;

export interface CannedServer {
  /** Where it listens, as connect() takes it. */
  readonly address: string;
  /** A client of it, closed at the end of the test. */
  readonly client: BpfmapClient;
  /** Ends the server and all its connections at once. */
  stop(): void;
}

export interface CannedServerOptions {
  /** Where to listen; a unix socket of its own where absent. */
  listen?: string;
  credentials?: ServerCredentials;
  connect?: ConnectOptions;
}

/** Starts a server for one test. */
export async function serve(
  behaviour: Behaviour,
  options: CannedServerOptions = {},
): Promise<CannedServer> {
  const server = new Server({ "grpc.max_receive_message_length": 64 * 1024 * 1024 });
  for (const service of [MapService, HostService]) {
    server.addService(definitionOf(service), behaviour as UntypedServiceImplementation);
  }
  const listen = options.listen ?? temporarySocket();
  const credentials = options.credentials ?? ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const address = listen.replace(/:0$/, `:${port}`);
  const client = connect({ address, ...options.connect });
  const stop = () => server.forceShutdown();
  onTestFinished(() => {
    client.close();
    stop();
  });
  return { address, client, stop };
}

/** Address of a unix socket that nobody else uses. */
export function temporarySocket(): string {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-client-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return `unix:${join(directory, "socket")}`;
}

/** What the daemon puts behind a status. */
export interface Details {
  domain?: string;
  reason?: string;
  metadata?: Record<string, string>;
  violations?: { field: string; description: string }[];
}

/** An error as the daemon sends it. */
export function failure(code: status, message: string, details: Details = {}): ServiceError {
  const packed = [];
  if (details.reason !== undefined) {
    const { domain = "bpfmapd", reason, metadata } = details;
    packed.push(anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { domain, reason, metadata })));
  }
  if (details.violations !== undefined) {
    const badRequest = create(BadRequestSchema, { fieldViolations: details.violations });
    packed.push(anyPack(BadRequestSchema, badRequest));
  }
  const trailers = new Metadata();
  const bytes = toBinary(StatusSchema, create(StatusSchema, { code, message, details: packed }));
  trailers.set("grpc-status-details-bin", Buffer.from(bytes));
  return Object.assign(new Error(message), { code, details: message, metadata: trailers });
}

function definitionOf(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method) => [
      method.localName,
      {
        path: `/${service.typeName}/${method.name}`,
        requestStream: method.methodKind === "client_streaming",
        responseStream: method.methodKind === "server_streaming",
        requestDeserialize: (bytes: Buffer) => fromBinary(method.input, new Uint8Array(bytes)),
        responseSerialize: (answer: MessageInitShape<typeof method.output>) =>
          Buffer.from(toBinary(method.output, create(method.output, answer))),
        requestSerialize: () => Buffer.alloc(0),
        responseDeserialize: () => undefined,
      },
    ]),
  );
}
