import { type Errno, KernelError } from "../kernel/index.js";
import { MapError, type MapErrorReason } from "./map-error.js";
import type { MapType } from "./map-type.js";
import { objectValuesOf } from "./objects/value-kind.js";
import { factsOf } from "./type-facts.js";

/** What was tried when the kernel refused, in the words of a message to a person. */
export interface Attempt {
  /** The map, as `OpenMap.label`. */
  readonly map: string;
  readonly type: MapType;
  /** What was tried: {@link UPDATE_ELEMENT}, "freeze", … */
  readonly operation: string;
  /** Whether user space may write the map no longer; looked up only after EPERM. */
  readonly isFrozen: () => boolean;
}

/** Attempts in which errnos mean something of the map's type. */
export const UPDATE_ELEMENT = "update an element";
export const DELETE_ELEMENT = "delete an element";

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

/** What an errno says whatever was tried, and what to do. */
export interface Refusal {
  readonly reason: MapErrorReason;
  readonly advice: string;
}

/** The reason of an errno that means the same whatever was tried. */
function commonReason(errno: Errno): MapErrorReason | undefined {
  if (isContended(errno)) return "MAP_CONTENDED";
  switch (errno) {
    case "EPERM":
    case "EACCES":
      return "KERNEL_DENIED";
    case "ENOMEM":
      return "KERNEL_MEMORY";
    case "EMFILE":
    case "ENFILE":
      return "FILE_DESCRIPTORS";
    default:
      return undefined;
  }
}

/** What the kernel's answer says where nothing is known of what was tried. */
export function refusalOf(errno: Errno): Refusal {
  const reason = commonReason(errno) ?? "KERNEL_ERROR";
  return { reason, advice: adviceOf(reason, errno) };
}

function adviceOf(reason: MapErrorReason, errno: Errno): string {
  return ADVICE[reason] ?? `the kernel answered ${errno}, which is not expected here`;
}

function reasonOf(errno: Errno, attempt: Attempt): MapErrorReason {
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
    default:
      return refusalOf(errno).reason;
  }
}

/** Whether the kernel's answer to a deletion says that there was no such element. */
export function isAbsent(errno: Errno, type: MapType): boolean {
  return (
    errno === "ENOENT" || (errno === "EINVAL" && (factsOf(type)?.emptyDeleteIsEinval ?? false))
  );
}

/** The error for what the kernel answered to an operation on an open map. */
export function explain(errno: Errno, attempt: Attempt): MapError {
  const { map, type, operation } = attempt;
  const metadata = { map, operation, errno };
  const refusal = operation === UPDATE_ELEMENT ? objectValuesOf(type)?.refusals[errno] : undefined;
  if (refusal !== undefined) {
    const text = `${map}: the kernel refused the object: ${refusal}`;
    return new MapError("OBJECT_UNSUITABLE", text, { metadata });
  }
  const isMissing = operation === DELETE_ELEMENT && isAbsent(errno, type);
  const reason = isMissing ? "ELEMENT_NOT_FOUND" : reasonOf(errno, attempt);
  const advice = adviceOf(reason, errno);
  return new MapError(reason, `${map}: cannot ${operation}: ${advice}`, { metadata });
}

/**
 * The error for a system call that failed where nobody expects it: of the kernel floor
 * whatever it answered, of node:fs where anything may meet with it. Undefined for all else.
 *
 * @param what what was worked on, such as `OpenMap.label` or a path
 */
export function explainKernelError(thrown: unknown, what: string): MapError | undefined {
  const isKernelError = thrown instanceof KernelError;
  const errno = isKernelError ? thrown.errno : (thrown as NodeJS.ErrnoException | null)?.code;
  if (errno === undefined || !(isKernelError || commonReason(errno))) return undefined;
  const { reason, advice } = refusalOf(errno);
  const metadata = { errno, ...(isKernelError && { call: thrown.call }) };
  return new MapError(reason, `${what}: ${advice}`, { metadata, cause: thrown });
}

/** What passes by itself, or when something else gives way. */
const PASSING: ReadonlySet<MapErrorReason> = new Set([
  "MAP_CONTENDED",
  "KERNEL_MEMORY",
  "FILE_DESCRIPTORS",
]);

/**
 * As {@link explainKernelError}, where a call failed for want of memory, of file
 * descriptors or of a lock, so that its failure tells nothing of what it was asked about.
 */
export function explainShortage(thrown: unknown, what: string): MapError | undefined {
  const error = explainKernelError(thrown, what);
  return error && PASSING.has(error.reason) ? error : undefined;
}
