import { withArena } from "../arena.js";
import { errnoName, KernelError } from "../errno.js";
import { getsockopt } from "../libc.js";

const SOL_SOCKET = 1;
const OPTIONS = { type: 3, protocol: 38, domain: 39, cookie: 57, listening: 30 } as const;

/** What a socket is; numbers as in socket(2). */
export interface SocketFacts {
  /** By which maps of sockets name it: never used again while the host is up. */
  readonly cookie: bigint;
  /** 1 unix, 2 IPv4, 10 IPv6, 40 vsock. */
  readonly domain: number;
  /** 1 stream, 2 datagram. */
  readonly type: number;
  /** 6 TCP, 17 UDP. */
  readonly protocol: number;
  readonly listening: boolean;
}

/** Facts of a socket's fd. Throws KernelError: ENOTSOCK for other fds. */
export function socketFacts(fd: number): SocketFacts {
  const number = (name: keyof typeof OPTIONS) => Number(option(fd, name, 4));
  return {
    cookie: option(fd, "cookie", 8),
    domain: number("domain"),
    type: number("type"),
    protocol: number("protocol"),
    listening: number("listening") !== 0,
  };
}

function option(fd: number, name: keyof typeof OPTIONS, size: number): bigint {
  return withArena(16, (value) => {
    value.setU32(8, size);
    const result = getsockopt(fd, SOL_SOCKET, OPTIONS[name], value.address, value.at(8));
    if (result < 0) throw new KernelError(errnoName(-result), "getsockopt");
    return value.getU64(0);
  });
}
