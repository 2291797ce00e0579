import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const RETRY_MS = 5;

/** Types of HTTP/2 frames (RFC 9113, section 6). */
export const Type = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const Flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A frame; its length is told as it is, unless another is given. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
  length = payload.length,
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return frame(Type.SETTINGS, 0, 0, payload);
}

/** A number of 32 bits as frames have it. */
export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Headers as HPACK writes them without its tables: names and values as they are. */
export function headerBlock(
  headers: readonly (readonly [name: string, value: string | Buffer])[],
): Buffer {
  return Buffer.concat(
    headers.flatMap(([name, value]) => {
      const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value, "latin1");
      return [Buffer.of(0), length(name.length), Buffer.from(name), length(bytes.length), bytes];
    }),
  );
}

/** An HPACK integer with a prefix of 7 bits. */
function length(value: number): Buffer {
  if (value < 127) return Buffer.of(value);
  const bytes = [127];
  let left = value - 127;
  while (left >= 128) {
    bytes.push((left & 127) | 128);
    left >>= 7;
  }
  return Buffer.of(...bytes, left);
}

/** The headers of a gRPC call. */
export function callHeaders(rpc = "bpfmap.v1.HostService/GetHost") {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", `/${rpc}`],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ] as [string, string | Buffer][];
}

/** A gRPC call on a stream: headers, and a body, by itself one empty message. */
export function call(stream: number, rpc?: string, body: Uint8Array = Buffer.alloc(5)): Buffer {
  return Buffer.concat([
    frame(Type.HEADERS, Flag.END_HEADERS, stream, headerBlock(callHeaders(rpc))),
    frame(Type.DATA, Flag.END_STREAM, stream, body),
  ]);
}

/** A connection that speaks HTTP/2 byte by byte, as it is told. */
export class RawHttp2 {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  /** Pings that have come, which it never answers. */
  pings = 0;
  readonly #waiting = new Map<string, () => void>();
  #received = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {}); // "close" follows
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("data", (bytes) => this.#take(bytes));
  }

  /** Connects, and says nothing yet. */
  static async connect(path: string): Promise<RawHttp2> {
    for (;;) {
      const socket = connect(path);
      const connected = await new Promise<boolean>((resolve, reject) => {
        socket.once("connect", () => resolve(true));
        // Too many wait to be accepted.
        socket.once("error", (error: NodeJS.ErrnoException) =>
          error.code === "EAGAIN" ? resolve(false) : reject(error),
        );
      });
      if (connected) return new RawHttp2(socket);
      await sleep(RETRY_MS);
    }
  }

  /** Connects, and agrees on HTTP/2. */
  static async open(path: string): Promise<RawHttp2> {
    const connection = await RawHttp2.connect(path);
    await connection.write(PREFACE, settings());
    return connection;
  }

  /** Writes, and waits until it has left or the connection is closed. */
  async write(...bytes: readonly Uint8Array[]): Promise<void> {
    if (this.socket.destroyed) return;
    const sent = new Promise<void>((resolve) => {
      this.socket.write(Buffer.concat(bytes), () => resolve());
    });
    await Promise.race([sent, this.closed]);
  }

  /** Sends a ping: "answered" where it comes back, "closed" where the connection ends instead. */
  async ping(payload = "fuzzping"): Promise<"answered" | "closed"> {
    const answered = new Promise<"answered">((resolve) =>
      this.#waiting.set(payload, () => resolve("answered")),
    );
    await this.write(frame(Type.PING, 0, 0, Buffer.from(payload)));
    return Promise.race([answered, this.closed.then(() => "closed" as const)]);
  }

  /** Takes nothing that comes, so that the other side cannot send. */
  stopReading(): void {
    this.socket.pause();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Looks for answers to pings, and lets everything else go by. */
  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.length >= 9) {
      const end = 9 + this.#received.readUIntBE(0, 3);
      if (this.#received.length < end) return;
      const [type, flags] = [this.#received[3], this.#received[4]];
      const payload = this.#received.subarray(9, end).toString("latin1");
      if (type === Type.PING && flags === 0) this.pings += 1;
      if (type === Type.PING && flags === Flag.ACK) this.#waiting.get(payload)?.();
      this.#received = this.#received.subarray(end);
    }
  }
}
