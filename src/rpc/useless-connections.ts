import type { Http2Server, ServerHttp2Session } from "node:http2";

/**
 * Closes connections that no call can come by any more, which Node and grpc-js leave open:
 * each would keep its file descriptor until the daemon ends.
 *
 * @param handshakeMs how long a peer may take to begin with HTTP/2
 */
export function closeUseless(http2Server: Http2Server, handshakeMs: number): void {
  http2Server.on("session", (session) => {
    closeSilent(session, handshakeMs);
    closeTerminated(session);
  });
}

/** The peer has to send its preface and settings; later silence is a client's right. */
function closeSilent(session: ServerHttp2Session, withinMs: number): void {
  const timer = setTimeout(() => session.destroy(), withinMs).unref();
  const spoken = () => clearTimeout(timer);
  session.once("remoteSettings", spoken);
  session.once("close", spoken);
}

/** The part of Node's handle of a session that tells when nghttp2 has no more use for it. */
interface SessionHandle {
  ongracefulclosecomplete?: () => void;
  setGracefulClose?(): void;
}

/**
 * To a peer that breaks HTTP/2's rules nghttp2 says GOAWAY, and then neither reads nor
 * writes. Node 20 tells of that for some rules only (Http2Session::OnInvalidFrame); for the
 * others it keeps the connection, also when the peer has closed it, as nothing reads its
 * end. (22.23 and 24.22 tell of all.) What always tells is the notice that nghttp2 is done,
 * which Node has for `session.close()` alone.
 */
function closeTerminated(session: ServerHttp2Session): void {
  const handle = handleOf(session);
  const closed = handle?.ongracefulclosecomplete;
  if (closed === undefined || handle?.setGracefulClose === undefined) return;
  handle.ongracefulclosecomplete = () => {
    if (session.closed) closed();
    else session.destroy();
  };
  handle.setGracefulClose();
}

/** There is no public way to it. */
function handleOf(session: ServerHttp2Session): SessionHandle | undefined {
  const key = Object.getOwnPropertySymbols(session).find(
    ({ description }) => description === "kHandle",
  );
  return key && (session as unknown as Record<symbol, SessionHandle | undefined>)[key];
}
