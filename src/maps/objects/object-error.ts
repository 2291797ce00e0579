import { KernelError } from "../../kernel/index.js";
import { MapError, type MapErrorReason } from "../map-error.js";

/** Refuses a reference to a kernel object. `field` is its path in the request. */
export function objectError(
  reason: "OBJECT_NOT_FOUND" | "OBJECT_WRONG_KIND" | "OBJECT_UNSUITABLE" | "FIELD_INVALID",
  field: string,
  description: string,
  cause?: unknown,
): MapError {
  return new MapError(reason, `${field}: ${description}`, {
    violations: [{ field, description }],
    cause,
  });
}

/** The reasons that are the daemon's own, whatever object is opened. */
const OWN_REASONS: Readonly<Record<string, [reason: MapErrorReason, text: string]>> = {
  EMFILE: ["FILE_DESCRIPTORS", "no file descriptor is left; raise LimitNOFILE, or send fewer"],
  ENFILE: ["FILE_DESCRIPTORS", "the host has no file descriptor left"],
  ENOMEM: ["KERNEL_MEMORY", "the kernel had no memory for it"],
  EPERM: ["KERNEL_DENIED", "the kernel refused the daemon"],
  EACCES: ["KERNEL_DENIED", "the kernel refused the daemon"],
};

/**
 * The error for an object that the kernel did not open.
 *
 * @param absent errnos that say that it is not there
 * @param needs what the daemon needs to open it, for people
 */
export function explainOpening(
  error: unknown,
  field: string,
  what: string,
  absent: readonly string[],
  needs: string,
): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  if (absent.includes(errno)) {
    return objectError("OBJECT_NOT_FOUND", field, `there is no ${what}`, error);
  }
  const [reason, text] = OWN_REASONS[errno] ?? ["KERNEL_ERROR", `the kernel answered ${errno}`];
  const advice = reason === "KERNEL_DENIED" ? `; it needs ${needs}` : "";
  return new MapError(reason, `${field}: cannot open ${what}: ${text}${advice}`, {
    metadata: { errno },
    cause: error,
  });
}

function errnoOf(error: unknown): string | undefined {
  if (error instanceof KernelError) return error.errno;
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  return code?.startsWith("E") ? code : undefined;
}
