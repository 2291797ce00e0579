import { BpfmapError, status } from "@bpfmapd/client";
import {
  type CallData,
  CallStartSchema,
  type ForwardRequest,
  ForwardRequestSchema,
  type ForwardResponse,
  ForwardResponseSchema,
  RelayService,
} from "@bpfmapd/client/proto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { type HostCall, HostCallError, refusedByHost, unreachable } from "../host-call.js";
import { messagesOf, partsOf } from "../session/forwarded-messages.js";
import { roomIn } from "../session/stream-room.js";
import { type DialedClient, type DialTls, dialClient, isConnected } from "./dial.js";
import type { OtherRelays } from "./host-router.js";
import { callStart } from "./relayed-call.js";

const PATH = `/${RelayService.typeName}/${RelayService.method.forward.name}`;

/** How long a connection to another relay may take to be made, in milliseconds. */
const CONNECT_MS = 5000;

/** Statuses by which a relay refuses to carry a call at all. */
const REFUSALS: readonly status[] = [
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
  status.FAILED_PRECONDITION,
  status.RESOURCE_EXHAUSTED,
];

type Stream = ClientDuplexStream<ForwardRequest, ForwardResponse>;

/** What the connections to other relays are made with. */
export interface OtherRelaysOptions {
  readonly relayId: string;
  /** Certificates as of now; undefined where none are set. */
  readonly tls: () => DialTls | undefined;
  /** Bytes of a call's message. */
  readonly maxMessageBytes: number;
}

/** Connections to the other relays of a fleet, one for each, made when it is first needed. */
export class RelayConnections implements OtherRelays {
  readonly #options: OtherRelaysOptions;
  readonly #clients = new Map<string, DialedClient>();

  constructor(options: OtherRelaysOptions) {
    this.#options = options;
  }

  async *call(address: string, hostId: string, call: HostCall): AsyncGenerator<Uint8Array, void> {
    call.signal.throwIfAborted();
    const stream = await this.#open(address, hostId);
    const cancel = () => stream.cancel();
    call.signal.addEventListener("abort", cancel, { once: true });
    const outcome: { error?: Uint8Array } = {};
    try {
      void sendCall(stream, hostId, call, this.#options.relayId).catch(cancel);
      yield* messagesOf(partsIn(stream, outcome), this.#options.maxMessageBytes);
    } catch (error) {
      call.signal.throwIfAborted();
      throw forwardError(hostId, address, error);
    } finally {
      call.signal.removeEventListener("abort", cancel);
      stream.cancel();
    }
    if (outcome.error === undefined) throw unreachable(hostId, "was cut off by its relay", true);
    if (outcome.error.length > 0) throw refusedByHost(outcome.error);
  }

  /** Cuts all calls, and dials anew for those that come. */
  close(): void {
    for (const { client } of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  /** Only on a connection that is there, so that what fails before was certainly not sent. */
  async #open(address: string, hostId: string): Promise<Stream> {
    let dialed = this.#clients.get(address);
    if (!dialed) {
      dialed = dialClient(address, this.#options.tls());
      this.#clients.set(address, dialed);
    }
    if (!(await isConnected(dialed.client, CONNECT_MS))) {
      throw unreachable(
        hostId,
        `has its session with a relay that cannot be reached at ${address}`,
      );
    }
    const stream: Stream = dialed.client.makeBidiStreamRequest(
      PATH,
      (frame: ForwardRequest) => asBuffer(toBinary(ForwardRequestSchema, frame)),
      (bytes: Buffer) => fromBinary(ForwardResponseSchema, plain(bytes)),
    );
    // Its failure shows where it is read.
    stream.on("error", () => {});
    return stream;
  }
}

async function sendCall(
  stream: Stream,
  hostId: string,
  call: HostCall,
  relayId: string,
): Promise<void> {
  const start = { hostId, call: create(CallStartSchema, callStart(0, call, relayId)) };
  await send(stream, { case: "start", value: start });
  for await (const request of call.requests) {
    for (const part of partsOf(request)) {
      await send(stream, { case: "data", value: { callId: 0, ...part } });
    }
  }
  if (!stream.destroyed) stream.end();
}

async function send(stream: Stream, frame: FrameInit): Promise<void> {
  if (stream.destroyed) throw new Error("the stream is over");
  if (!stream.write(create(ForwardRequestSchema, { frame }))) await roomIn(stream);
}

type FrameInit = NonNullable<Parameters<typeof create<typeof ForwardRequestSchema>>[1]>["frame"];

async function* partsIn(
  stream: Stream,
  outcome: { error?: Uint8Array },
): AsyncGenerator<CallData, void> {
  for await (const { frame } of stream as AsyncIterable<ForwardResponse>) {
    if (frame.case === "data") yield frame.value;
    if (frame.case === "end") outcome.error = frame.value.error;
  }
}

/** What it means for the host that its relay has not carried the call. */
function forwardError(hostId: string, address: string, thrown: unknown): HostCallError {
  if (thrown instanceof HostCallError) return thrown;
  const error = BpfmapError.from(thrown);
  const maybeDone = error.metadata.maybe_done === "true";
  if (error.reason === "HOST_UNREACHABLE") {
    return unreachable(hostId, `cannot be reached: ${error.message}`, maybeDone);
  }
  const why = `cannot be reached by its relay at ${address}: ${error.message}`;
  return unreachable(hostId, why, !REFUSALS.includes(error.code));
}

/** Byte fields become views of what they are parsed from: not Buffers. */
function plain({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
