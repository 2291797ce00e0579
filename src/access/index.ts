/** The access floor: who calls, and what that one may do. */
export { AccessControl, type AccessControlOptions } from "./access-control.js";
export { AuditLog, type AuditLogOptions } from "./audit/audit-log.js";
export { auditedKeys, type KeyForm } from "./audit/audited-keys.js";
export { CallAccess, type CallRecord } from "./call-access.js";
export { type AccessExplanation, explainAccess } from "./explain-access.js";
export { BearerTokens, readKeySet, type TokenRules } from "./identity/bearer-tokens.js";
export type { Principal } from "./identity/principal.js";
export { certificatePeer, tcpPeer } from "./identity/tls-peer.js";
export { unixPeer } from "./identity/unix-peer.js";
export { CallShare } from "./limits/call-share.js";
export { CallerLimiter, type Slot } from "./limits/caller-limiter.js";
export { Callers } from "./limits/callers.js";
export { DEFAULT_LIMITS, type LimitName, type Limits } from "./limits/limits.js";
export type { CallerRole, FleetRole } from "./policy/fleet-role.js";
export { Policy } from "./policy/policy.js";
export { readPolicy } from "./policy/policy-file.js";
export { VERBS, type Verb } from "./verb.js";
export { type FileEvents, type FileSource, WatchedFiles } from "./watched-file.js";
