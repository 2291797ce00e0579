import {
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  ConnectResponseSchema,
  HostSessionService,
} from "@bpfmapd/client/proto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import { type DialTls, dialClient, isConnected } from "../relay/dial.js";
import { roomIn } from "../session/stream-room.js";
import type { SessionLink } from "./session-link.js";

const PATH = `/${HostSessionService.typeName}/${HostSessionService.method.connect.name}`;

/** How long a connection may take to be made, in milliseconds. */
const CONNECT_MS = 10_000;

/**
 * Dials a relay on TCP or a unix socket. Who it is, is known when this settles, before it hears
 * anything. Rejects where it cannot be reached, or is not who its address says.
 */
export async function dialRelay(address: string, tls: DialTls | undefined): Promise<SessionLink> {
  const { client, relay } = dialClient(address, tls);
  if (!(await isConnected(client, CONNECT_MS))) {
    const why = await whyNot(client);
    client.close();
    throw new Error(`the relay at ${address} cannot be reached: ${why}`);
  }
  const call: ClientDuplexStream<ConnectRequest, ConnectResponse> = client.makeBidiStreamRequest(
    PATH,
    (frame: ConnectRequest) => asBuffer(toBinary(ConnectRequestSchema, frame)),
    (bytes: Buffer) => fromBinary(ConnectResponseSchema, plain(bytes)),
  );
  // Its end shows where it is read.
  call.on("error", () => {});
  return {
    relay,
    frames: call,
    send: (frame) => {
      if (call.destroyed || call.write(frame)) return Promise.resolve();
      return roomIn(call);
    },
    close() {
      call.cancel();
      client.close();
    },
  };
}

/** Only a call is told why there is no connection. */
function whyNot(client: Client): Promise<string> {
  const asIs = (bytes: Buffer) => bytes;
  const deadline = Date.now() + CONNECT_MS;
  return new Promise((resolve) => {
    client.makeUnaryRequest(PATH, asIs, asIs, Buffer.alloc(0), { deadline }, (error) =>
      resolve(error?.details ?? "it has only just come"),
    );
  });
}

/** Byte fields become views of what they are parsed from: not Buffers. */
function plain({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
