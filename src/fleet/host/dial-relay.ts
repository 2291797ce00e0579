import {
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  ConnectResponseSchema,
  HostSessionService,
} from "@bpfmapd/client/proto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { type DialTls, dialClient } from "../relay/dial.js";
import type { SessionLink } from "./session-link.js";

const PATH = `/${HostSessionService.typeName}/${HostSessionService.method.connect.name}`;

/** Dials a relay on TCP or a unix socket. */
export function dialRelay(address: string, tls: DialTls | undefined): SessionLink {
  const { client, relay } = dialClient(address, tls);
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
      return new Promise((resolve) => {
        const done = () => {
          call.off("drain", done);
          call.off("close", done);
          resolve();
        };
        call.once("drain", done);
        call.once("close", done);
      });
    },
    close() {
      call.cancel();
      client.close();
    },
  };
}

/** Byte fields become views of what they are parsed from: not Buffers. */
function plain({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
