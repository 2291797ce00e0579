import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Principal } from "../../access/index.js";

/** Who is at the other end of each HTTP/2 session. */
export class ConnectionPeers {
  readonly #peers = new WeakMap<ServerHttp2Session, Principal>();
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
}
