import { withArena } from "./arena.js";
import { errnoName, KernelError } from "./errno.js";
import { closeFd } from "./fd.js";
import { sendto, socket } from "./libc.js";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** Size of `struct sockaddr_un`, and of the path in it. */
const ADDRESS_BYTES = 110;
const PATH_BYTES = 108;

/**
 * Sends one datagram to a unix socket, which Node cannot. Never waits.
 *
 * @param address a path of up to 107 bytes, or "@" and a name in the abstract namespace
 * @throws KernelError: ECONNREFUSED and ENOENT where nobody listens, EAGAIN where the
 *   receiver's queue is full, ENAMETOOLONG for a longer address
 */
export function sendDatagram(address: string, text: string): void {
  const name = Buffer.from(address.replace(/^@/, "\0"));
  if (name.length >= PATH_BYTES) throw new KernelError("ENAMETOOLONG", "sendto");
  const message = Buffer.from(text);
  const fd = check(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  try {
    withArena(ADDRESS_BYTES + message.length, (memory) => {
      memory.view.setUint16(0, AF_UNIX, true);
      name.copy(memory.bytes, 2);
      message.copy(memory.bytes, ADDRESS_BYTES);
      // A path ends with a zero; an abstract name ends where the address does.
      const length = 2 + name.length + (name[0] === 0 ? 0 : 1);
      const start = memory.at(ADDRESS_BYTES);
      check(sendto(fd, start, message.length, memory.address, length), "sendto");
    });
  } finally {
    closeFd(fd);
  }
}

function check(result: number, call: string): number {
  if (result < 0) throw new KernelError(errnoName(-result), call);
  return result;
}
