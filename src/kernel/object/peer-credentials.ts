import { withArena } from "../arena.js";
import { errnoName, KernelError } from "../errno.js";
import { getsockopt } from "../libc.js";

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;

/** A process in 65536 groups is the most that the kernel allows (NGROUPS_MAX). */
const MAX_GROUPS = 65_536;
const SOME_GROUPS = 256;

/** Who connected to a unix socket, as the kernel noted it at connect(2). */
export interface PeerCredentials {
  /** In the pid namespace of the caller; 0 where the peer is in none that it can see. */
  readonly pid: number;
  readonly uid: number;
  /** Its effective group first, then its further ones. */
  readonly gids: readonly number[];
}

/** The peer of a connected unix socket. Throws KernelError. */
export function peerCredentials(fd: number): PeerCredentials {
  const { pid, uid, gid } = withArena(16, (value) => {
    value.setU32(12, 12);
    check(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value.address, value.at(12)));
    return { pid: value.getU32(0), uid: value.getU32(4), gid: value.getU32(8) };
  });
  const further = peerGroups(fd).filter((other) => other !== gid);
  return { pid, uid, gids: [gid, ...further] };
}

/** SO_PEERGROUPS (4.13): further groups of the peer. */
function peerGroups(fd: number): number[] {
  return readGroups(fd, SOME_GROUPS) ?? readGroups(fd, MAX_GROUPS) ?? [];
}

/** Undefined where there are more than `room`. */
function readGroups(fd: number, room: number): number[] | undefined {
  return withArena(8 + room * 4, (value) => {
    value.setU32(0, room * 4);
    const result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, value.at(8), value.address);
    if (result < 0 && errnoName(-result) === "ERANGE") return undefined;
    check(result);
    const count = value.getU32(0) / 4;
    return Array.from({ length: count }, (_, index) => value.getU32(8 + index * 4));
  });
}

function check(result: number): void {
  if (result < 0) throw new KernelError(errnoName(-result), "getsockopt");
}
