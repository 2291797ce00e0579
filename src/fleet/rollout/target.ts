import { admittedTickets, type RolloutState } from "./rollout-state.js";
import { ticketOf } from "./ticket.js";

/** What a set is at, of its manifest. */
export interface SetHead {
  readonly id: string;
  readonly generation: number;
}

/** Tells of a host, by its id, the generation that it is to have; 0 for none. */
export type Targets = (hostId: string) => number;

/**
 * The generation that each host of a set is to have, now: without a rollout, the set's. Of a
 * rollout of another generation than the set is at, nothing counts any more.
 */
export function targetsOf(head: SetHead, rollout: RolloutState | undefined): Targets {
  const isOfHead = rollout?.setId === head.id && rollout.to === head.generation;
  return isOfHead ? rolloutTargets(rollout) : () => head.generation;
}

/** The same, of a rollout that is the set's. */
export function rolloutTargets(rollout: RolloutState): Targets {
  const { id, phase, from, to } = rollout;
  if (phase === "completed") return () => to;
  if (phase === "rollingBack" || phase === "rolledBack") return () => from;
  const tickets = admittedTickets(rollout);
  return (hostId) => (tickets.has(ticketOf(id, hostId)) ? to : from);
}
