import { BlockList, isIP } from "node:net";

export interface TcpAddress {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Takes "host:port" and "[IPv6 address]:port" apart; undefined for anything else. */
export function parseTcpAddress(address: string): TcpAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(address);
  if (match === null) return undefined;
  const [, v6, name] = match;
  const port = Number(match[3]);
  const host = v6 ?? name;
  if (host === undefined || port > 65535) return undefined;
  if (v6 !== undefined && isIP(v6) !== 6) return undefined;
  return { host, port };
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/**
 * Whether nobody outside the host can reach this. Of names only localhost is believed,
 * which resolvers must not send away (RFC 6761).
 */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host === "localhost";
  return loopback.check(host, family === 4 ? "ipv4" : "ipv6");
}
