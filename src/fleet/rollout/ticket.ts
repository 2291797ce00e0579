import { createHash } from "node:crypto";

/** Characters of a ticket: 48 bits, so that a state with 10,000 of them has 80 kB. */
export const TICKET_LENGTH = 8;

/**
 * A host's place in a rollout: everyone finds the same one, and each rollout begins with other
 * hosts. In the order of tickets, hosts come to the waves.
 */
export function ticketOf(rolloutId: string, hostId: string): string {
  const hash = createHash("sha256").update(`${rolloutId} ${hostId}`).digest();
  return hash.toString("base64url", 0, (TICKET_LENGTH * 6) / 8);
}
