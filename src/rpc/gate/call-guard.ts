import type { AccessControl, CallAccess } from "../../access/index.js";
import { MapError } from "../../maps/index.js";
import type { CallAudit } from "./call-audit.js";

/** setTimeout fires at once for anything longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function expired(): MapError {
  return new MapError(
    "UNAUTHENTICATED",
    "the bearer token of the call has run out: call again with a new one",
  );
}

/** What goes with a call that was let in, until it ends. */
export class CallGuard {
  readonly access: CallAccess;
  /** Absent where nothing is audited. */
  readonly audit: CallAudit | undefined;
  readonly #control: AccessControl;
  #expiry: NodeJS.Timeout | undefined;

  /** @param isStream whether the call may go on after the caller's token has run out */
  constructor(
    control: AccessControl,
    access: CallAccess,
    isStream: boolean,
    audit: CallAudit | undefined,
  ) {
    this.access = access;
    this.audit = audit;
    this.#control = control;
    const { expiresAtMs } = access.who;
    if (isStream && expiresAtMs !== undefined) this.#endAt(expiresAtMs);
  }

  #endAt(timeMs: number): void {
    const left = Math.min(timeMs - Date.now(), MAX_TIMER_MS);
    this.#expiry = setTimeout(() => {
      if (Date.now() < timeMs) this.#endAt(timeMs);
      else this.access.record.revoke?.(expired());
    }, left).unref();
  }

  /** The call is over. */
  close(): void {
    clearTimeout(this.#expiry);
    this.#control.ended(this.access.record);
  }
}
