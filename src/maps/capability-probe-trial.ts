import { closeFd, type Errno, KernelError, type MapCreation, mapCreate } from "../kernel/index.js";

/** Errnos that say nothing of the kernel but that the host is at its end. */
const EXHAUSTED: ReadonlySet<Errno> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/** Whether the kernel refused this process rather than what it asked for. */
export function isRefusal(errno: Errno): boolean {
  return errno === "EPERM" || errno === "EACCES";
}

/**
 * Makes a map, and answers what was learnt from it before it is closed; undefined where
 * the kernel does not make such a map. Throws KernelError where it refused this process,
 * and where the host is out of memory or file descriptors.
 */
export function withTrialMap<T>(creation: MapCreation, use: (fd: number) => T): T | undefined {
  const made = create(creation);
  if (typeof made === "string") {
    if (isRefusal(made)) throw new KernelError(made, "BPF_MAP_CREATE");
    return undefined;
  }
  try {
    return use(made);
  } finally {
    closeFd(made);
  }
}

/** Whether the kernel makes such a map: undefined, or the errno why not. */
export function tryCreate(creation: MapCreation): Errno | undefined {
  const made = create(creation);
  if (typeof made === "string") return made;
  closeFd(made);
  return undefined;
}

function create(creation: MapCreation): number | Errno {
  try {
    return mapCreate(creation);
  } catch (error) {
    if (error instanceof KernelError && !EXHAUSTED.has(error.errno)) return error.errno;
    throw error;
  }
}
