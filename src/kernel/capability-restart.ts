import { withArena } from "./arena.js";
import { errnoName, KernelError } from "./errno.js";
import { capset, execv, fcntl, prctl } from "./libc.js";
import { type Capability, capabilityMask, maskOf } from "./process-capabilities.js";

const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const F_SETFD = 2;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** Whether this process may use a capability that is none of these. */
export function hasMoreThan(keep: ReadonlySet<Capability>): boolean {
  return (capabilityMask("CapPrm") & ~maskOf(keep)) !== 0n;
}

/** What runs in this process's place. */
export interface Restart {
  /** Absolute path of the program. */
  readonly program: string;
  /** Its arguments; the first is its own name. */
  readonly args: readonly string[];
  /** Fds that it inherits; Node has marked all of its own as close-on-exec, even 0, 1 and 2. */
  readonly fds: readonly number[];
}

/**
 * Runs a program in this process's place, with its pid and environment, that has those of
 * this process's capabilities that are kept, and can gain no others (no_new_privs). Comes
 * back only by throwing a KernelError.
 *
 * Capabilities belong to threads, and the threads that Node starts before any JavaScript
 * runs keep theirs whatever this one drops. Only execve(2) ends them.
 */
export function restartWithCapabilities(
  keep: ReadonlySet<Capability>,
  { program, args, fds }: Restart,
): never {
  const kept = capabilityMask("CapPrm") & maskOf(keep);
  check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0), "prctl(PR_SET_NO_NEW_PRIVS)");
  // What root would get at execve(2) is cut down to this by no_new_privs; other users
  // keep what is ambient, and that must be inheritable.
  setCapabilities(kept);
  check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0), "prctl(PR_CAP_AMBIENT)");
  for (let bit = 0; kept >> BigInt(bit) > 0n; bit++) {
    if ((kept & (1n << BigInt(bit))) === 0n) continue;
    check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit), "prctl(PR_CAP_AMBIENT)");
  }
  for (const fd of fds) check(fcntl(fd, F_SETFD, 0), "fcntl(F_SETFD)");
  throw new KernelError(errnoName(-execv(program, args)), "execve");
}

/** capset(2) of this thread: permitted, effective and inheritable alike. */
function setCapabilities(mask: bigint): void {
  const [low, high] = [Number(mask & 0xffffffffn), Number(mask >> 32n)];
  withArena(8 + 24, (memory) => {
    memory.setU32(0, LINUX_CAPABILITY_VERSION_3);
    // struct __user_cap_data_struct[2]: effective, permitted, inheritable of 32 bits each.
    for (const offset of [8, 12, 16]) memory.setU32(offset, low);
    for (const offset of [20, 24, 28]) memory.setU32(offset, high);
    check(capset(memory.address, memory.at(8)), "capset");
  });
}

function check(result: number, call: string): void {
  if (result < 0) throw new KernelError(errnoName(-result), call);
}
