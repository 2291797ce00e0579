import { errnoName, KernelError } from "../errno.js";
import { pidfdGetfd, pidfdOpen } from "../libc.js";

/**
 * pidfd_open(2): an fd (close-on-exec) of a running process, by its pid in this process's
 * namespace. It goes on to mean that process, whoever gets the pid after it. Throws
 * KernelError: ESRCH where there is none, EINVAL (since 6.9 ENOENT) for the id of a
 * thread that leads no process.
 */
export function openProcess(pid: number): number {
  return check(pidfdOpen(pid), "pidfd_open");
}

/**
 * pidfd_getfd(2): a new fd (close-on-exec) of what another process has open under this
 * number, such as a socket. Throws KernelError: EBADF where it has nothing there, EPERM
 * where it may not be traced by this process. Linux 5.6.
 */
export function borrowFd(pidfd: number, fd: number): number {
  return check(pidfdGetfd(pidfd, fd), "pidfd_getfd");
}

function check(result: number, call: string): number {
  if (result < 0) throw new KernelError(errnoName(-result), call);
  return result;
}
