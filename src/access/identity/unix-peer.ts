import type { Socket } from "node:net";
import { peerCredentials } from "../../kernel/index.js";
import type { Principal } from "./principal.js";

/** Who is at the other end of a connection to a unix socket. */
export function unixPeer(socket: Socket): Principal {
  const { pid, uid, gids } = peerCredentials(fdOf(socket));
  return { name: `uid ${uid}`, peer: "unix", unix: { uid, gids, pid }, sans: [] };
}

/** Node has no public way to a socket's fd; without one nobody could be told from another. */
function fdOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null };
  const fd = handle?.fd;
  if (fd === undefined || fd < 0) throw new Error("the connection has no file descriptor any more");
  return fd;
}
