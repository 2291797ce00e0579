import type { ServerHttp2Session } from "node:http2";
import type { AccessControl, CallAccess, CallShare, Principal } from "../../access/index.js";
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

/** A call as it was let in. */
export interface LetIn {
  readonly who: Principal;
  /** The connection that it came by: what turns are taken between. */
  readonly connection: ServerHttp2Session | undefined;
  readonly share: CallShare;
  /** What the call may do to maps; absent where nobody is asked. */
  readonly access?: CallAccess | undefined;
  /** Absent where nothing is audited. */
  readonly audit?: CallAudit | undefined;
}

/** What goes with a call that was let in, until it ends. */
export class CallGuard implements LetIn {
  readonly who: Principal;
  readonly connection: ServerHttp2Session | undefined;
  readonly share: CallShare;
  readonly access: CallAccess | undefined;
  readonly audit: CallAudit | undefined;
  readonly #control: AccessControl | undefined;
  #expiry: NodeJS.Timeout | undefined;

  /** @param isStream whether the call may go on after the caller's token has run out */
  constructor(control: AccessControl | undefined, call: LetIn, isStream: boolean) {
    this.who = call.who;
    this.connection = call.connection;
    this.share = call.share;
    this.access = call.access;
    this.audit = call.audit;
    this.#control = control;
    const { expiresAtMs } = call.who;
    if (isStream && expiresAtMs !== undefined) this.#endAt(expiresAtMs);
  }

  #endAt(timeMs: number): void {
    const left = Math.min(timeMs - Date.now(), MAX_TIMER_MS);
    this.#expiry = setTimeout(() => {
      if (Date.now() < timeMs) this.#endAt(timeMs);
      else this.access?.record.revoke?.(expired());
    }, left).unref();
  }

  /** The call is over. */
  close(): void {
    clearTimeout(this.#expiry);
    this.share.close();
    if (this.access) this.#control?.ended(this.access.record);
  }
}
