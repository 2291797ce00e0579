import { constants } from "node:os";

/**
 * The name of an errno, such as "ENOENT", or "ERRNO_n" where there is none. Above this
 * floor an errno is always a name: the numbers differ between libc, Node and kernel.
 */
export type Errno = string;

/** Kernel-internal "operation not supported", which bpf(2) lets out; no libc knows it. */
const ENOTSUPP = 524;

const NAMES: (Errno | undefined)[] = [];
for (const [name, number] of Object.entries(constants.errno)) {
  // EWOULDBLOCK and EAGAIN (ENOTSUP and EOPNOTSUPP) share a number: keep the kernel's name.
  if (name !== "EWOULDBLOCK" && name !== "ENOTSUP") NAMES[number] = name;
}
NAMES[ENOTSUPP] = "ENOTSUPP";

/** The name of an errno number. */
export function errnoName(number: number): Errno {
  return NAMES[number] ?? `ERRNO_${number}`;
}

/** A system call failed: which one, and with what. */
export class KernelError extends Error {
  override readonly name = "KernelError";
  /** What the kernel answered. */
  readonly errno: Errno;
  /** The call, such as "BPF_MAP_CREATE". */
  readonly call: string;

  constructor(errno: Errno, call: string) {
    super(`${call}: ${errno}`);
    this.errno = errno;
    this.call = call;
  }
}
