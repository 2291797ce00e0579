import type { Errno } from "../kernel/index.js";
import { MapError, type MapErrorReason } from "./map-error.js";

/** What was tried when the kernel refused, in the words of a message to a person. */
export interface Attempt {
  /** The map, as `OpenMap.label`. */
  readonly map: string;
  /** What was tried: "update an element", "freeze", … */
  readonly operation: string;
  /** Whether user space may write the map no longer; looked up only after EPERM. */
  readonly isFrozen: () => boolean;
}

/**
 * Errnos of a busy map: the same call may succeed next time. EBUSY, and EDEADLK and
 * ETIMEDOUT since resilient spin locks, come from hash buckets (kernel/bpf/hashtab.c);
 * EINTR from batches over keys that are deleted meanwhile (kernel/bpf/syscall.c).
 */
const CONTENDED: ReadonlySet<Errno> = new Set(["EBUSY", "EDEADLK", "ETIMEDOUT", "EAGAIN", "EINTR"]);

/** Whether the kernel found the map busy, so that the call is worth another try. */
export function isContended(errno: Errno): boolean {
  return CONTENDED.has(errno);
}

const ADVICE: Partial<Record<MapErrorReason, string>> = {
  ELEMENT_NOT_FOUND: "it has no element with this key",
  ELEMENT_EXISTS: "it already has an element with this key; use mode ANY or EXIST to change it",
  MAP_FULL: "it is full; delete elements, or create a larger map",
  MAP_FROZEN: "it was frozen, so user space can no longer write it",
  OPERATION_NOT_SUPPORTED: "this kernel does not have the operation for this map type",
  MAP_CONTENDED: "the kernel found it busy several times in a row; try again",
  KERNEL_MEMORY: "the kernel had no memory for it; free some, or try a smaller request",
  FILE_DESCRIPTORS: "no file descriptor is left; raise LimitNOFILE or close some",
  KERNEL_DENIED:
    "the kernel refused the daemon; it needs CAP_BPF, and CAP_NET_ADMIN or CAP_SYS_ADMIN for some map types",
};

function reasonOf(errno: Errno, attempt: Attempt): MapErrorReason {
  if (isContended(errno)) return "MAP_CONTENDED";
  switch (errno) {
    case "ENOENT":
      return "ELEMENT_NOT_FOUND";
    case "EEXIST":
      return "ELEMENT_EXISTS";
    // Hashes and queues answer E2BIG when full, LPM tries ENOSPC.
    case "E2BIG":
    case "ENOSPC":
      return "MAP_FULL";
    case "ENOTSUPP":
    case "EOPNOTSUPP":
      return "OPERATION_NOT_SUPPORTED";
    case "EPERM":
    case "EACCES":
      return attempt.isFrozen() ? "MAP_FROZEN" : "KERNEL_DENIED";
    case "ENOMEM":
      return "KERNEL_MEMORY";
    case "EMFILE":
    case "ENFILE":
      return "FILE_DESCRIPTORS";
    default:
      return "KERNEL_ERROR";
  }
}

/** The error for what the kernel answered to an operation on an open map. */
export function explain(errno: Errno, attempt: Attempt): MapError {
  const reason = reasonOf(errno, attempt);
  const advice = ADVICE[reason] ?? `the kernel answered ${errno}, which is not expected here`;
  return new MapError(reason, `${attempt.map}: cannot ${attempt.operation}: ${advice}`, {
    metadata: { map: attempt.map, operation: attempt.operation, errno },
  });
}
