import type { Assessment } from "./assess.js";
import { sizeOf } from "./rollout-plan.js";
import { admittedTickets, type RolloutState } from "./rollout-state.js";

/** Which hosts are told, and how many may be. */
export type Admission = Pick<RolloutState, "size" | "admitted">;

/**
 * Who is to be told of the generation now: those that were, as far as they still match, and
 * further ones in the order of their tickets, as far as the wave has room. Hosts that cannot be
 * reached are passed over. Where nothing is other than it was, the strings are equal.
 */
export function admission(
  state: RolloutState,
  { placed, matched, pending }: Assessment,
): Admission {
  const size = sizeNow(state, matched);
  const before = admittedTickets(state);
  const kept = placed.filter(({ ticket }) => before.has(ticket)).map(({ ticket }) => ticket);
  const room = Math.min(
    (size ?? Number.POSITIVE_INFINITY) - kept.length,
    (state.plan.maxInProgress ?? Number.POSITIVE_INFINITY) - pending,
  );
  const further = placed
    .filter(({ standing, host }) => standing === "waiting" && host.isReachable)
    .slice(0, Math.max(0, room))
    .map(({ ticket }) => ticket);
  const tickets = [...new Set([...kept, ...further])].sort();
  return { size, admitted: tickets.join("") };
}

/** The wave's size stays what it was when there were hosts first; it is 0 until then. */
function sizeNow({ size, plan, wave, admitted }: RolloutState, matched: number) {
  if (size !== 0 || matched === 0) return size;
  const wanted = sizeOf(plan.waves[wave]!, matched);
  const told = admittedTickets({ admitted }).size;
  return wanted === Number.POSITIVE_INFINITY ? undefined : Math.max(wanted, told);
}
