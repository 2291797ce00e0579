import { HostSessionService } from "@bpfmapd/client/proto";
import {
  type DescMessage,
  type DescMethodBiDiStreaming,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import { type DialTls, dialClient, isConnected } from "../relay/dial.js";
import { roomIn } from "../session/stream-room.js";
import type { RelayStream, SessionLink } from "./session-link.js";

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
  const { connect, followMapSets } = HostSessionService.method;
  const session = openStream(client, connect);
  return {
    ...session,
    relay,
    followSets: () => openStream(client, followMapSets),
    close() {
      session.close();
      client.close();
    },
  };
}

/** Opens a stream on a connection. */
function openStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodBiDiStreaming<I, O>,
): RelayStream<MessageShape<I>, MessageShape<O>> {
  const { parent, name, input, output } = method;
  const call: ClientDuplexStream<MessageShape<I>, MessageShape<O>> = client.makeBidiStreamRequest(
    `/${parent.typeName}/${name}`,
    (frame: MessageShape<I>) => asBuffer(toBinary(input, frame)),
    (bytes: Buffer) => fromBinary(output, plain(bytes)),
  );
  // Its end shows where it is read.
  call.on("error", () => {});
  return {
    frames: call,
    send: (frame) => {
      if (call.destroyed || call.write(frame)) return Promise.resolve();
      return roomIn(call);
    },
    close: () => call.cancel(),
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
