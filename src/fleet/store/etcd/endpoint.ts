import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  connectivityState,
  Metadata,
} from "@grpc/grpc-js";

/** Answers what a member sends: its own limit for answers is 2 GiB. */
const CHANNEL: ChannelOptions = {
  "grpc.max_receive_message_length": -1,
  // etcd ends connections that ping more often than every 5 s (--grpc-keepalive-min-time).
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
  "grpc.use_local_subchannel_pool": 1,
};

/** How a call on an endpoint is made. */
export interface EndpointCall {
  /** etcd's token of the user who calls. */
  readonly token: string | undefined;
  readonly signal?: AbortSignal;
  /** Milliseconds until DEADLINE_EXCEEDED; without it, never. */
  readonly timeoutMs?: number;
}

/** A stream in both directions; it is read by iterating. */
export interface EndpointStream<I extends DescMessage, O extends DescMessage>
  extends AsyncIterable<MessageShape<O>> {
  send(message: MessageInitShape<I>): void;
  cancel(): void;
}

/** One member of an etcd cluster. What it throws are grpc-js's ServiceErrors. */
export class Endpoint {
  readonly target: string;
  readonly #client: Client;
  #isClosed = false;

  constructor(target: string, credentials: ChannelCredentials, serverName: string | undefined) {
    this.target = target;
    const name = serverName !== undefined && {
      "grpc.ssl_target_name_override": serverName,
      "grpc.default_authority": serverName,
    };
    this.#client = new Client(target, credentials, { ...CHANNEL, ...name });
  }

  /** Whether there is a connection, or one comes to be in time. Not where it fails meanwhile. */
  async connects(timeoutMs: number): Promise<boolean> {
    const channel = this.#client.getChannel();
    const deadline = Date.now() + timeoutMs;
    // Asking a closed channel for its state would open it again.
    while (!this.#isClosed) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) return true;
      if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) {
        return false;
      }
      const isOver = await new Promise<boolean>((resolve) => {
        channel.watchConnectivityState(state, deadline, (error) => resolve(error !== undefined));
      });
      if (isOver) return false;
    }
    return false;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    { token, signal, timeoutMs }: EndpointCall,
  ): Promise<MessageShape<O>> {
    const bytes = toBinary(method.input, create(method.input, request));
    let cancel = () => {};
    try {
      return await new Promise((resolve, reject) => {
        const call = this.#client.makeUnaryRequest(
          pathOf(method),
          asBuffer,
          decoder(method.output),
          bytes,
          metadata(token),
          timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
          (error, answer) => (error === null ? resolve(answer!) : reject(error)),
        );
        cancel = () => call.cancel();
        signal?.addEventListener("abort", cancel, { once: true });
        if (signal?.aborted) cancel();
      });
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    token: string | undefined,
  ): EndpointStream<I, O> {
    const call: ClientDuplexStream<
      Uint8Array,
      MessageShape<O>
    > = this.#client.makeBidiStreamRequest(
      pathOf(method),
      asBuffer,
      decoder(method.output),
      metadata(token),
    );
    // Told to whoever iterates; without a listener, one that comes when nobody does ends the process.
    call.on("error", () => {});
    return {
      send: (message) => void call.write(toBinary(method.input, create(method.input, message))),
      cancel: () => call.cancel(),
      [Symbol.asyncIterator]: () => call[Symbol.asyncIterator](),
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#client.close();
  }
}

function metadata(token: string | undefined): Metadata {
  const metadata = new Metadata();
  // A member that is cut off from the others refuses, so that another is asked.
  metadata.set("hasleader", "true");
  if (token !== undefined) metadata.set("token", token);
  return metadata;
}

function pathOf(method: DescMethodUnary | DescMethodBiDiStreaming): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function decoder<O extends DescMessage>(schema: O): (bytes: Buffer) => MessageShape<O> {
  // Byte fields become views of what they are parsed from: Uint8Array, not Buffer.
  return ({ buffer, byteOffset, byteLength }) =>
    fromBinary(schema, new Uint8Array(buffer, byteOffset, byteLength));
}

/** grpc-js calls Buffer methods on what it sends; this is the same memory seen as one. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
