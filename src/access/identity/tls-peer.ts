import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Principal } from "./principal.js";
import { namesOf } from "./subject-alt-names.js";

/**
 * Who is at the other end of a TCP connection. Only a certificate that the listener's
 * client CA signed proves a name; a connection without TLS proves nothing.
 */
export function tcpPeer(socket: Socket): Principal {
  const { remoteAddress, remotePort } = socket;
  const peer = remoteAddress === undefined ? "unknown" : `${remoteAddress}:${remotePort}`;
  const isProven = socket instanceof TLSSocket && socket.authorized;
  const certificate = isProven ? socket.getPeerX509Certificate() : undefined;
  if (certificate === undefined) return { name: "anonymous", peer, sans: [] };
  return certificatePeer(peer, certificate.subjectAltName, certificate.subject);
}

/** Who has a certificate that was verified, by Node's texts of its names. */
export function certificatePeer(
  peer: string,
  subjectAltName: string | undefined,
  subject: string,
): Principal {
  const sans = namesOf(subjectAltName);
  return { name: nameOf(sans, subject), peer, sans };
}

function nameOf(sans: readonly string[], subject: string): string {
  const spiffe = sans.find((name) => name.startsWith("spiffe://"));
  return spiffe ?? sans[0] ?? `certificate of ${subject.replaceAll("\n", ", ") || "nobody"}`;
}
