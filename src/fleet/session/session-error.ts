import { MapError } from "../../maps/index.js";

/** A peer that does not keep to the session's protocol. */
export function sessionProtocolError(what: string): MapError {
  return new MapError("SESSION_PROTOCOL", `the session's protocol is broken: ${what}`);
}

/** A session that came to its end because the host has registered anew. */
export function sessionReplaced(hostId: string): MapError {
  return new MapError(
    "SESSION_REPLACED",
    `host ${hostId} has registered anew: where two hosts have one id, give each its own`,
    { metadata: { host: hostId } },
  );
}

/** The fleet's store does not answer. */
export function storeUnavailable(cause: unknown): MapError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MapError("STORE_UNAVAILABLE", `the fleet's store does not answer: ${why}`, { cause });
}

/** The relay takes no more hosts. */
export function relayStopping(): MapError {
  return new MapError("DAEMON_STOPPING", "the relay is stopping: dial another");
}
