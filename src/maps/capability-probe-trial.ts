import { closeFd, type Errno, KernelError, type MapCreation, mapCreate } from "../kernel/index.js";

const EXHAUSTED: ReadonlySet<Errno> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/** Whether an errno says nothing of the kernel but that the host is at its end. */
export function isExhausted(errno: Errno): boolean {
  return EXHAUSTED.has(errno);
}

/** Whether the kernel refused this process rather than what it asked for. */
export function isRefusal(errno: Errno): boolean {
  return errno === "EPERM" || errno === "EACCES";
}

/** Makes a map, and answers what was learnt from it before it is closed. Throws KernelError. */
export function withTrialMap<T>(creation: MapCreation, use: (fd: number) => T): T {
  const fd = mapCreate(creation);
  try {
    return use(fd);
  } finally {
    closeFd(fd);
  }
}

/**
 * Whether the kernel makes such a map: undefined, or the errno why not. Throws
 * KernelError where the host is out of memory or file descriptors.
 */
export function tryCreate(creation: MapCreation): Errno | undefined {
  try {
    closeFd(mapCreate(creation));
    return undefined;
  } catch (error) {
    if (error instanceof KernelError && !isExhausted(error.errno)) return error.errno;
    throw error;
  }
}
