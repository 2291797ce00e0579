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
  const advice = ADVICE[reason] ?? `the kernel answered ${errno}, which is not expected here`;
  return new MapError(reason, `${map}: cannot ${operation}: ${advice}`, { metadata });
}

/**
 * The error where a call failed because the process or the host has no file descriptor
 * left, whoever made it: bpf(2), or node:fs. Undefined for anything else.
 *
 * @param what what was worked on, such as `OpenMap.label` or a path
 */
export function explainShortage(thrown: unknown, what: string): MapError | undefined {
  const errno =
    thrown instanceof KernelError ? thrown.errno : (thrown as NodeJS.ErrnoException | null)?.code;
  if (errno !== "EMFILE" && errno !== "ENFILE") return undefined;
  return new MapError("FILE_DESCRIPTORS", `${what}: ${ADVICE.FILE_DESCRIPTORS}`, {
    metadata: { errno },
    cause: thrown,
  });
}
