import { resolve } from "node:path";
import { invalidArgument } from "./errors.js";

/** Where the daemon listens unless it is told otherwise. */
export const DEFAULT_ADDRESS = "unix:/run/bpfmapd/bpfmapd.sock";

/** A parsed address of a daemon. */
export interface Address {
  /** Whether the address is a unix socket or a TCP port. */
  readonly kind: "unix" | "tcp";
  /** The address in the form that grpc-js takes. */
  readonly target: string;
}

/**
 * Parses "unix:/path", "unix:///path", "host:port", "192.0.2.1:port" or
 * "[2001:db8::1]:port". Throws BpfmapError INVALID_ARGUMENT for anything else.
 */
export function parseAddress(address: string): Address {
  return address.startsWith("unix:") ? parseUnix(address) : parseTcp(address);
}

function parseUnix(address: string): Address {
  let path = address.slice("unix:".length);
  if (path.startsWith("//")) {
    path = path.slice(2);
    if (!path.startsWith("/")) {
      throw malformed(address, 'after "unix://" an absolute path must follow');
    }
  }
  if (path === "") throw malformed(address, "the path is empty");
  return { kind: "unix", target: `unix:${resolve(path)}` };
}

function parseTcp(address: string): Address {
  if (address.startsWith("/") || address.startsWith(".")) {
    throw malformed(address, `for a unix socket write "unix:${address}"`);
  }
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[^\]]+)?)\]|([^:[\]/\s]+)):(\d+)$/.exec(address);
  if (match === null) {
    throw malformed(address, 'expected "unix:/path", "host:port" or "[IPv6 address]:port"');
  }
  const port = Number(match[3]);
  if (port < 1 || port > 65535) throw malformed(address, "the port is not within 1 and 65535");
  // The scheme is spelled out because grpc-js would take a host called "unix" or
  // "ipv4" for one.
  return { kind: "tcp", target: `dns:${address}` };
}

function malformed(address: string, why: string): Error {
  return invalidArgument(`"${address}" is not an address of bpfmapd: ${why}`, "address");
}
