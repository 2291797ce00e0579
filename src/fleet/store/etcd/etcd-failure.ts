import { type ServiceError, status } from "@grpc/grpc-js";
import { StoreError, type StoreErrorCode } from "../store-error.js";

/** What to do about a call that failed. */
export interface EtcdFailure {
  /** What the caller is told where nothing else helps. `maybeApplied` is as for a write. */
  readonly error: StoreError;
  /** - final: another try comes to the same; - again: later or elsewhere; - login: with a new token. */
  readonly remedy: "final" | "again" | "login";
}

/** How etcd's own errors read; its api/v3rpc/rpctypes/error.go has them all. */
const KNOWN: readonly (readonly [text: string, StoreErrorCode, EtcdFailure["remedy"]])[] = [
  ["required revision has been compacted", "COMPACTED", "final"],
  ["required revision is a future revision", "FUTURE_REVISION", "final"],
  ["requested lease not found", "LEASE_NOT_FOUND", "final"],
  ["database space exceeded", "NO_SPACE", "final"],
  ["permission denied", "PERMISSION_DENIED", "final"],
  ["authentication failed", "UNAUTHENTICATED", "final"],
  ["user name is empty", "UNAUTHENTICATED", "login"],
  ["invalid auth token", "UNAUTHENTICATED", "login"],
  ["revision of auth store is old", "UNAUTHENTICATED", "login"],
  // These are said before a request is proposed to the cluster.
  ["no leader", "UNAVAILABLE", "again"],
  ["too many requests", "UNAVAILABLE", "again"],
  ["not capable", "UNAVAILABLE", "again"],
];

const GOES_AWAY: readonly number[] = [
  status.UNAVAILABLE,
  status.INTERNAL,
  status.UNKNOWN,
  status.CANCELLED,
  status.ABORTED,
];

/** An error as grpc-js makes them, for what etcd tells in another way. */
export function serviceError(code: status, details: string): Error {
  return Object.assign(new Error(details), { code, details });
}

/** Tells what a failed call means. Anything unknown may have been applied. */
export function etcdFailure(error: unknown, target: string): EtcdFailure {
  const { code, details = String(error) } = error as Partial<ServiceError>;
  const known = KNOWN.find(([text]) => details.includes(text));
  const said = `etcd at ${target}: ${details}`;
  if (known !== undefined) {
    return { error: new StoreError(known[1], said, { cause: error }), remedy: known[2] };
  }
  const detail = { cause: error, maybeApplied: true };
  if (code === status.DEADLINE_EXCEEDED) {
    return { error: new StoreError("DEADLINE_EXCEEDED", said, detail), remedy: "again" };
  }
  if (code !== undefined && GOES_AWAY.includes(code)) {
    return { error: new StoreError("UNAVAILABLE", said, detail), remedy: "again" };
  }
  const refused: StoreErrorCode =
    code === status.INVALID_ARGUMENT ? "INVALID_ARGUMENT" : "INTERNAL";
  return { error: new StoreError(refused, said, { cause: error }), remedy: "final" };
}
