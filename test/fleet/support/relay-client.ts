import { BpfmapError } from "@bpfmapd/client";
import {
  type ForwardRequest,
  ForwardRequestSchema,
  ForwardResponseSchema,
  RelayService,
} from "@bpfmapd/client/proto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import type { SecureFleet, SecureRelay } from "./secure-fleet.js";

/** Calls a relay as another relay does, with whatever certificate. */
export class RelayClient {
  readonly #client: Client;

  /** @param who the last part of its name, such as "controller/a" */
  constructor({ authority }: SecureFleet, { address }: SecureRelay, who: string) {
    const { cert, key } = authority.issue(who.replace("/", "-"), `URI:spiffe://test/${who}`);
    this.#client = new Client(address, credentials.createSsl(authority.cert, key, cert));
    onTestFinished(() => this.#client.close());
  }

  /** Asks for a call of ListMaps on a host, in the name of another controller. */
  async forward(hostId: string, controller: string, more: object = {}): Promise<void> {
    const name = `spiffe://test/controller/${controller}`;
    const call = {
      ...more,
      rpc: "bpfmap.v1.MapService/ListMaps",
      origin: { name, peer: "127.0.0.1:1", caller: { sans: [name] } },
    };
    const stream = this.#client.makeBidiStreamRequest(
      `/${RelayService.typeName}/Forward`,
      (frame: ForwardRequest) => Buffer.from(toBinary(ForwardRequestSchema, frame)),
      (bytes: Buffer) => fromBinary(ForwardResponseSchema, bytes),
    );
    stream.write(
      create(ForwardRequestSchema, { frame: { case: "start", value: { hostId, call } } }),
    );
    stream.end();
    try {
      for await (const _answer of stream);
    } catch (error) {
      throw BpfmapError.from(error);
    }
  }
}
