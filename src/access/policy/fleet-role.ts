/**
 * What one may be in a fleet:
 * - host: it may register with this relay;
 * - relay: it may speak for others, whose calls it carries;
 * - controller: it may read and write map sets, of which each host lets it write to maps what its
 *   own policy gives.
 */
export const FLEET_ROLES = ["host", "relay", "controller"] as const;

export type FleetRole = (typeof FLEET_ROLES)[number];

/** What an RPC asks of its callers: a role, or to be more than a host or a relay. */
export type CallerRole = FleetRole | "caller";
