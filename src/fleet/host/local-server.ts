import { type ClientHttp2Session, connect } from "node:http2";
import type { Duplex } from "node:stream";
import { type CallOrigin, CallOriginSchema } from "@bpfmapd/client/proto";
import { toBinary } from "@bufbuild/protobuf";
import { CALL_CREDIT_BYTES } from "../session/protocol.js";

/** How long a connection is kept that nobody calls by, in milliseconds. */
const IDLE_MS = 30_000;

/** As large as it can be: each call has its own window, so none may hold the others up. */
const CONNECTION_WINDOW = 2 ** 31 - 1;

/** Opens a connection inside the process to the host's own server, for one who calls. */
export type LocalConnect = (origin: CallOrigin) => Duplex;

interface LocalConnection {
  readonly session: ClientHttp2Session;
  calls: number;
  idle: NodeJS.Timeout | undefined;
}

/**
 * The host's own server, as calls reach it that come down a session: over a connection of their
 * own for each who calls, so that whatever holds for a connection of his holds for these.
 */
export class LocalServer {
  readonly #connect: LocalConnect;
  readonly #connections = new Map<string, LocalConnection>();

  constructor(connect: LocalConnect) {
    this.#connect = connect;
  }

  /** Makes a call on the connection of who makes it. */
  async call(
    origin: CallOrigin,
    run: (session: ClientHttp2Session) => Promise<void>,
  ): Promise<void> {
    const connection = this.#connectionOf(origin);
    connection.calls++;
    clearTimeout(connection.idle);
    try {
      await run(connection.session);
    } finally {
      connection.calls--;
      if (connection.calls === 0) {
        connection.idle = setTimeout(() => connection.session.close(), IDLE_MS).unref();
      }
    }
  }

  /** Cuts all calls. */
  close(): void {
    for (const { session, idle } of this.#connections.values()) {
      clearTimeout(idle);
      session.destroy();
    }
    this.#connections.clear();
  }

  #connectionOf(origin: CallOrigin): LocalConnection {
    const key = Buffer.from(toBinary(CallOriginSchema, origin)).toString("base64");
    const known = this.#connections.get(key);
    if (known && !known.session.closed && !known.session.destroyed) return known;
    const socket = this.#connect(origin);
    const session = connect("http://host", {
      createConnection: () => socket,
      settings: { initialWindowSize: CALL_CREDIT_BYTES },
    });
    const connection: LocalConnection = { session, calls: 0, idle: undefined };
    session.once("connect", () => session.setLocalWindowSize(CONNECTION_WINDOW));
    // Its calls tell.
    session.on("error", () => {});
    session.once("close", () => {
      if (this.#connections.get(key) === connection) this.#connections.delete(key);
    });
    this.#connections.set(key, connection);
    return connection;
  }
}
