import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Principal } from "../../access/index.js";

/** Who is at the other end of each HTTP/2 session. */
export class ConnectionPeers {
  readonly #peers = new WeakMap<ServerHttp2Session, Principal>();
  /** Who made the last call of a session, where another than its peer: bearers of tokens. */
  readonly #callers = new WeakMap<ServerHttp2Session, string>();
  #arriving: Principal | undefined;

  /** Notes the sessions of a server. */
  listen(http2Server: Http2Server): void {
    http2Server.on("session", (session) => {
      if (this.#arriving) this.#peers.set(session, this.#arriving);
    });
  }

  /** Has a connection served for a peer: Node makes its session at once. */
  arrive(peer: Principal, serve: () => void): void {
    this.#arriving = peer;
    try {
      serve();
    } finally {
      this.#arriving = undefined;
    }
  }

  /** The peer of a session. Throws where it is not known, rather than let anybody in. */
  of(session: ServerHttp2Session | undefined): Principal {
    const peer = session && this.#peers.get(session);
    if (!peer) throw new Error("a call came by a connection that nobody has introduced");
    return peer;
  }

  /** Notes who makes a call of a session. */
  called(session: ServerHttp2Session | undefined, who: Principal): void {
    if (session && who !== this.#peers.get(session)) this.#callers.set(session, who.name);
  }

  /** Name of who calls by a session, as far as that is known before a call is read. */
  callerOf(session: ServerHttp2Session): string | undefined {
    return this.#callers.get(session) ?? this.#peers.get(session)?.name;
  }
}
