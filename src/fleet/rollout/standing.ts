import type { FleetView, HostView } from "./host-view.js";
import { admittedTickets, isForward, type RolloutState } from "./rollout-state.js";
import { ticketOf } from "./ticket.js";

/**
 * How a host is doing in a rollout:
 * - waiting: it was not told of the new generation, or, of one that is rolled back, has gone back;
 * - pending: it was told, and has not applied it yet;
 * - done: it has applied it;
 * - failed: it could not apply it;
 * - unreachable: it was told, and has no session now.
 *
 * In a rollback, "it" is the generation before; whoever was told of the new one is to go back.
 */
export type Standing = "waiting" | "pending" | "done" | "failed" | "unreachable";

/** A host and how it is doing. */
export interface PlacedHost {
  readonly host: HostView;
  readonly ticket: string;
  readonly standing: Standing;
}

/** Every host that matches, in the order in which they come to the waves. */
export function placedHosts(state: RolloutState, { hosts }: FleetView): PlacedHost[] {
  const admitted = admittedTickets(state);
  const generation = isForward(state) || state.phase === "completed" ? state.to : state.from;
  const placed = hosts.map((host) => {
    const ticket = ticketOf(state.id, host.id);
    const wasTold =
      state.toldAll || admitted.has(ticket) || (!isForward(state) && host.applied === state.to);
    return { host, ticket, standing: wasTold ? standingOf(host, generation) : "waiting" } as const;
  });
  return placed.sort(byTicket);
}

function standingOf(
  { isReachable, error, applied }: HostView,
  generation: number,
): Exclude<Standing, "waiting"> {
  if (!isReachable) return "unreachable";
  if (error?.generation === generation) return "failed";
  return applied === generation ? "done" : "pending";
}

function byTicket(one: PlacedHost, other: PlacedHost): number {
  if (one.ticket === other.ticket) return one.host.id < other.host.id ? -1 : 1;
  return one.ticket < other.ticket ? -1 : 1;
}

/** Ids of the hosts that stand so. */
export function idsOf(placed: readonly PlacedHost[], standing: Standing): string[] {
  return placed.filter((one) => one.standing === standing).map(({ host }) => host.id);
}
