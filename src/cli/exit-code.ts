import { status } from "@bpfmapd/client";

/**
 * What the process ends with. bpftool ends with 255 or an errno cut to 8 bits; these
 * are few, stable and documented.
 */
export const ExitCode = {
  OK: 0,
  /** The command line is wrong, or something on this side failed. */
  USAGE: 1,
  /** No such map, pin, hold or element. */
  NOT_FOUND: 2,
  /** Element, pin or hold exists already. */
  EXISTS: 3,
  /** The daemon found a value of the request invalid. */
  INVALID: 4,
  /** The map is in no state for it: frozen, ambiguous name, incompatible, contended. */
  STATE: 5,
  /** The daemon or its kernel does not permit it. */
  DENIED: 6,
  /** Map full, out of memory, or a limit of the daemon. */
  EXHAUSTED: 7,
  /** The map type or the running kernel does not have this. */
  UNSUPPORTED: 8,
  /** The daemon cannot be reached, is stopping, or did not answer in time. */
  UNAVAILABLE: 9,
  /** The output is whole, but the map changed too fast to be read completely. */
  INCOMPLETE: 10,
  /** Some hosts of a fleet have failed, could not be reached, or were not called. */
  PARTIAL: 12,
  /** Anything else that the daemon answered. */
  INTERNAL: 11,
  /** Interrupted from the keyboard (128 + SIGINT). */
  INTERRUPTED: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const BY_STATUS: Partial<Record<status, ExitCode>> = {
  [status.CANCELLED]: ExitCode.INTERRUPTED,
  [status.INVALID_ARGUMENT]: ExitCode.INVALID,
  [status.OUT_OF_RANGE]: ExitCode.INVALID,
  [status.DEADLINE_EXCEEDED]: ExitCode.UNAVAILABLE,
  [status.NOT_FOUND]: ExitCode.NOT_FOUND,
  [status.ALREADY_EXISTS]: ExitCode.EXISTS,
  [status.PERMISSION_DENIED]: ExitCode.DENIED,
  [status.UNAUTHENTICATED]: ExitCode.DENIED,
  [status.RESOURCE_EXHAUSTED]: ExitCode.EXHAUSTED,
  [status.FAILED_PRECONDITION]: ExitCode.STATE,
  [status.ABORTED]: ExitCode.STATE,
  [status.UNIMPLEMENTED]: ExitCode.UNSUPPORTED,
  [status.UNAVAILABLE]: ExitCode.UNAVAILABLE,
};

/** The exit code for a gRPC status code. */
export function exitCodeOfStatus(code: status): ExitCode {
  return BY_STATUS[code] ?? ExitCode.INTERNAL;
}

/** The codes as text for `--help`. */
export const EXIT_CODE_HELP = `Exit codes:
  0  done
  1  wrong command line, or a local failure such as an unreadable file
  2  not found: map, pin, hold or element (also: empty queue or stack)
  3  exists already: element, pin or hold
  4  refused as invalid by the daemon: size, range, path, flag
  5  the map's state forbids it: frozen, ambiguous name, incompatible, contended
  6  not permitted
  7  map full, no memory, or a limit of the daemon reached
  8  the map type or the running kernel does not have this operation
  9  daemon not reachable, stopping, or no answer in time
  10 done, but the map changed too fast to be read completely
  11 any other error of the daemon
  12 not all hosts of a fleet have answered, or have the change
  130 interrupted`;
