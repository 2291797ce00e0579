import { errnoName, KernelError } from "./errno.js";
import { flock } from "./libc.js";

const LOCK_EX_NB = 2 | 4;

/**
 * Locks an open file or directory for this process; false where another has it. The
 * lock ends with the last copy of the fd, however the process ends.
 */
export function tryLock(fd: number): boolean {
  const result = flock(fd, LOCK_EX_NB);
  if (result >= 0) return true;
  const errno = errnoName(-result);
  if (errno === "EAGAIN") return false;
  throw new KernelError(errno, "flock");
}
