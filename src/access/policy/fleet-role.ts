/**
 * What one may be in a fleet, beside a controller:
 * - host: it may register with this relay;
 * - relay: it may speak for others, whose calls it carries.
 */
export const FLEET_ROLES = ["host", "relay"] as const;

export type FleetRole = (typeof FLEET_ROLES)[number];
