import { randomBytes } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import type { AuditLog, CallRecord, KeyForm, Principal } from "../../access/index.js";
import { MapError } from "../../maps/index.js";
import { CallAudit } from "./call-audit.js";
import type { RpcRule } from "./rpc-rules.js";

/** How calls are audited. */
export interface AuditOptions {
  readonly log: AuditLog;
  readonly keys: KeyForm;
  /** Whether changes are refused while they cannot be audited, or let through. */
  readonly onFailure: "refuse" | "allow";
}

/** Ids of clients that are longer, or not plain, are not repeated. */
const CLIENT_ID = /^[\x21-\x7e]{1,128}$/;

/** Audits the calls that change maps, and those that are denied. */
export class Audit {
  readonly #options: AuditOptions;
  readonly #run = randomBytes(4).toString("hex");
  #calls = 0;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Throws AUDIT_UNAVAILABLE where a change would go without its line. */
  checkReady(rule: RpcRule): void {
    const { log, onFailure } = this.#options;
    if (!rule.changes || onFailure === "allow" || !log.isFailing) return;
    throw new MapError(
      "AUDIT_UNAVAILABLE",
      "the audit log cannot be written, and nothing is changed without it (audit.on_failure): the daemon's log says why",
    );
  }

  /** The audit of a call that was let in. */
  begin(record: CallRecord, rule: RpcRule, isStream: boolean, metadata: Metadata): CallAudit {
    const facts = { ...this.#facts(metadata), ...callerFacts(record.who), rpc: record.rpc };
    const { log, keys } = this.#options;
    return new CallAudit(log, keys, { record, changes: rule.changes, isStream, facts });
  }

  /** Tells of a call that was refused before it began. */
  refused(who: Principal, rpc: string, error: MapError, metadata: Metadata): void {
    const { verb, map } = error.metadata;
    void this.#options.log.add({
      ...{ ...this.#facts(metadata), ...callerFacts(who), rpc, event: "call" },
      ...(verb !== undefined && { verb }),
      ...(map !== undefined && { asked: map }),
      ...{ outcome: "denied", reason: error.reason, message: error.message },
    });
  }

  #facts(metadata: Metadata) {
    const given = String(metadata.get("x-request-id")[0] ?? "");
    return {
      time: new Date().toISOString(),
      request: `${this.#run}-${++this.#calls}`,
      ...(CLIENT_ID.test(given) && { client_request: given }),
    };
  }
}

function callerFacts({ name, peer, unix, relay }: Principal) {
  return {
    caller: name,
    peer,
    ...(relay !== undefined && { relay }),
    ...(unix && { uid: unix.uid, gid: unix.gids[0], pid: unix.pid }),
  };
}
