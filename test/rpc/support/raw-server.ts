import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MapService } from "@bpfmapd/client/proto";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, type Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import type { CallRuntime } from "#dist/rpc/adapter/runtime.js";
import { addService, type ServiceHandlers } from "#dist/rpc/adapter/service.js";
import { cutStreamInterceptor } from "#dist/rpc/cut-streams.js";
import { mapServiceRules } from "#dist/rpc/gate/rpc-rules.js";
import { onHttp2Server } from "#dist/rpc/http2-server.js";
import { shortenDeadlines } from "#dist/rpc/long-deadlines.js";
import { validate } from "#dist/rpc/validation.js";

type Handlers = ServiceHandlers<typeof MapService>;

/** A grpc-js server with the adapter and handlers of a test, and no map anywhere. */
export interface RawServer {
  /** Path of its unix socket. */
  readonly socket: string;
  readonly client: Client;
  /** What the adapter called a defect. */
  readonly defects: unknown[];
  readonly streamsStopping: AbortController;
  readonly unaryStopping: AbortController;
}

/** Serves MapService with the handlers given; others are defects. */
export async function rawServer(
  handlers: Partial<Handlers>,
  { maxMessageBytes = 4 * 1024 * 1024 } = {},
): Promise<RawServer> {
  const defects: unknown[] = [];
  const streamsStopping = new AbortController();
  const unaryStopping = new AbortController();
  const runtime: CallRuntime = {
    maxMessageBytes,
    streamsStopping: streamsStopping.signal,
    unaryStopping: unaryStopping.signal,
    validate,
    reportDefect: (error) => defects.push(error),
  };
  const server = new Server({ interceptors: [cutStreamInterceptor] });
  onHttp2Server(server, (http2Server) => shortenDeadlines(http2Server, [], 60_000));
  addService(server, MapService, handlers as Handlers, mapServiceRules, runtime);

  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-rpc-"));
  const socket = join(directory, "socket");
  const address = `unix:${socket}`;
  await new Promise<void>((resolve, reject) => {
    const bound = (error: Error | null) => (error === null ? resolve() : reject(error));
    server.bindAsync(address, ServerCredentials.createInsecure(), bound);
  });
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.use_local_subchannel_pool": 1,
  });
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
    rmSync(directory, { recursive: true, force: true });
  });
  return { socket, client, defects, streamsStopping, unaryStopping };
}

/** Path of an RPC of MapService, for a raw client. */
export function rpcPath(name: string): string {
  return `/${MapService.typeName}/${name}`;
}

export const passThrough = (bytes: Buffer): Buffer => bytes;

/** A message as bytes for a raw client. */
export function encoded<S extends DescMessage>(schema: S, init: MessageInitShape<S>): Buffer {
  return Buffer.from(toBinary(schema, create(schema, init)));
}

/** What a call ended with. */
export interface CallFailure {
  code: number;
  details: string;
  metadata: Metadata;
}

/** Makes a unary call with raw bytes; resolves with bytes, rejects with a CallFailure. */
export function rawUnary(
  client: Client,
  rpc: string,
  request: Buffer,
  options: { deadline?: Date | number } = {},
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest<Buffer, Buffer>(
      rpcPath(rpc),
      passThrough,
      passThrough,
      request,
      options,
      (error, response) => (error === null ? resolve(response as Buffer) : reject(error)),
    );
  });
}

/** Decodes what a unary call answered. */
export async function unaryMessage<S extends DescMessage>(schema: S, answer: Promise<Buffer>) {
  return fromBinary(schema, await answer);
}
