import { admittedTickets, type RolloutState } from "./rollout-state.js";
import { ticketOf } from "./ticket.js";

/** What a set is at, of its manifest. */
export interface SetHead {
  readonly generation: number;
  /** Id of the rollout that decides; "" for none. */
  readonly rollout: string;
}

/** Tells of a host, by its id, the generation that it is to have; 0 for none. */
export type Targets = (hostId: string) => number;

/**
 * The generation that each host of a set is to have, now: without a rollout, the set's. Undefined
 * where set and rollout are not of each other, as when one of them was read later: then nobody
 * is to be told of anything.
 */
export function targetsOf(head: SetHead, rollout: RolloutState | undefined): Targets | undefined {
  if (head.rollout === "") return () => head.generation;
  return rollout?.id === head.rollout ? rolloutTargets(rollout) : undefined;
}

/** The same, of a rollout that is the set's. */
export function rolloutTargets(rollout: RolloutState): Targets {
  const { id, phase, from, to } = rollout;
  if (phase === "completed") return () => to;
  if (phase === "rollingBack" || phase === "rolledBack") return () => from;
  const tickets = admittedTickets(rollout);
  return (hostId) => (tickets.has(ticketOf(id, hostId)) ? to : from);
}
