/**
 * Why a store did not do what was asked:
 * - INVALID_ARGUMENT: the request breaks a rule of the interface; nothing was sent or written.
 * - COMPACTED: the revision asked for is no longer kept. Read anew, and watch from there.
 * - FUTURE_REVISION: the store has not come to that revision yet.
 * - HISTORY_LOST: the store is behind what it had told before, as after a restored backup. Read
 *   anew; what was acknowledged since then is gone.
 * - LEASE_NOT_FOUND: no such lease: it ran out, was revoked or never was.
 * - NO_SPACE: the store's disk or quota is full. Compact, delete, or give it more.
 * - UNAVAILABLE: no endpoint answers, or the disk fails. Try again later.
 * - DEADLINE_EXCEEDED: no answer in time.
 * - UNAUTHENTICATED, PERMISSION_DENIED: the store knows this user not, or allows him not.
 * - LOCKED: another process has the embedded store open.
 * - DAMAGED: what is on the disk is no store of this version, or broken.
 * - CLOSED: the store was closed here.
 * - CANCELLED: the caller's signal was aborted.
 * - INTERNAL: an answer that this client does not understand.
 */
export type StoreErrorCode =
  | "INVALID_ARGUMENT"
  | "COMPACTED"
  | "FUTURE_REVISION"
  | "HISTORY_LOST"
  | "LEASE_NOT_FOUND"
  | "NO_SPACE"
  | "UNAVAILABLE"
  | "DEADLINE_EXCEEDED"
  | "UNAUTHENTICATED"
  | "PERMISSION_DENIED"
  | "LOCKED"
  | "DAMAGED"
  | "CLOSED"
  | "CANCELLED"
  | "INTERNAL";

/** What a {@link StoreError} carries beside its code and message. */
export interface StoreErrorDetail {
  /** See {@link StoreError.maybeApplied}. Default false. */
  readonly maybeApplied?: boolean;
  /** What lies behind it. */
  readonly cause?: unknown;
}

/** A store did not do what was asked; the message is for a person. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /**
   * True where a write was on its way when the trouble came, so that it may be in force, now or
   * in a moment: read before trying again. False where it certainly is not.
   */
  readonly maybeApplied: boolean;

  constructor(code: StoreErrorCode, message: string, detail: StoreErrorDetail = {}) {
    super(message, { cause: detail.cause });
    this.code = code;
    this.maybeApplied = detail.maybeApplied ?? false;
  }
}

/** The error of a revision that is no longer kept. */
export function compacted(revision: bigint, compactRevision?: bigint): StoreError {
  const kept = compactRevision === undefined ? "" : ` (compacted up to ${compactRevision})`;
  return new StoreError(
    "COMPACTED",
    `revision ${revision} is no longer kept${kept}: read anew and go on from the answer's revision`,
  );
}

/** The error of a revision that has not come yet. */
export function futureRevision(revision: bigint, current?: bigint): StoreError {
  const now = current === undefined ? "" : `, which is at ${current}`;
  return new StoreError(
    "FUTURE_REVISION",
    `revision ${revision} is ahead of the store${now}: ask for one that an answer told`,
  );
}

/** The error of a lease that is not there. */
export function leaseNotFound(id: bigint): StoreError {
  return new StoreError(
    "LEASE_NOT_FOUND",
    `there is no lease ${id.toString(16)}: it ran out or was revoked; grant a new one`,
  );
}

/** The error of everything after `close`, and of what was under way. */
export function storeClosed(maybeApplied = false): StoreError {
  return new StoreError("CLOSED", "the store was closed: open it anew", { maybeApplied });
}

/** The error of a call whose signal was aborted. */
export function cancelled(signal: AbortSignal, maybeApplied = false): StoreError {
  return new StoreError("CANCELLED", "the call was cancelled by its caller", {
    cause: signal.reason,
    maybeApplied,
  });
}

/** Throws CANCELLED where the signal is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled(signal);
}
