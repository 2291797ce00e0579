import { hostCount, unknownCounters } from "./gates.js";
import type { FleetView } from "./host-view.js";
import { hasEnded, isForward, type RolloutState } from "./rollout-state.js";
import { type PlacedHost, placedHosts, type Standing } from "./standing.js";

/**
 * What a rollout waits for that has not ended:
 * - paused: somebody, or a gate, has stopped it: it goes on where it is resumed;
 * - noHostMatches, noHostReachable: there is none that could be told;
 * - applying: hosts were told and are not done;
 * - unreachable: more of those that were told are out of reach than may be;
 * - noHostDone: all that were told have failed or are out of reach, within the bounds;
 * - counterUnknown: numbers of counter gates are not known;
 * - baking: all are done, and are looked at;
 * - rollingBack: hosts are not back yet.
 */
export const WAITS = [
  "paused",
  "noHostMatches",
  "noHostReachable",
  "applying",
  "unreachable",
  "noHostDone",
  "counterUnknown",
  "baking",
  "rollingBack",
] as const;
export type Wait = (typeof WAITS)[number];

/** How a rollout is doing. The counts add up to `matched`. */
export interface Assessment extends Readonly<Record<Standing, number>> {
  readonly matched: number;
  /** Absent where it has ended. */
  readonly waitsFor: { readonly reason: Wait; readonly message: string } | undefined;
  readonly placed: readonly PlacedHost[];
}

/** How a rollout is doing, by what is known of its hosts. */
export function assess(state: RolloutState, view: FleetView): Assessment {
  const placed = placedHosts(state, view);
  const counts = { waiting: 0, pending: 0, done: 0, failed: 0, unreachable: 0 };
  for (const { standing } of placed) counts[standing]++;
  const facts = { ...counts, matched: placed.length, placed };
  return { ...facts, waitsFor: waitOf(state, view, facts) };
}

function waitOf(
  state: RolloutState,
  view: FleetView,
  facts: Omit<Assessment, "waitsFor">,
): Assessment["waitsFor"] {
  if (hasEnded(state)) return undefined;
  if (state.hold !== undefined) {
    const { by, failure } = state.hold;
    const why = failure === undefined ? `by ${by}` : `since a gate failed: ${failure.message}`;
    return { reason: "paused", message: `paused ${why}` };
  }
  return isForward(state) ? forwardWait(state, view, facts) : backWait(state, facts);
}

function backWait({ from }: RolloutState, { pending, failed }: Omit<Assessment, "waitsFor">) {
  const failing = failed > 0 ? `; ${hostCount(failed)} could not go back, and will try again` : "";
  const message = `${hostCount(pending + failed)} not back at generation ${from} yet${failing}`;
  return { reason: "rollingBack", message } as const;
}

function forwardWait(
  state: RolloutState,
  view: FleetView,
  { matched, pending, done, unreachable, waiting }: Omit<Assessment, "waitsFor">,
): NonNullable<Assessment["waitsFor"]> {
  const { plan, to } = state;
  if (matched === 0) {
    return { reason: "noHostMatches", message: "the set's selector matches no host of the fleet" };
  }
  if (matched === waiting && !view.hosts.some(({ isReachable }) => isReachable)) {
    return { reason: "noHostReachable", message: `none of ${hostCount(matched)} can be reached` };
  }
  if (unreachable > plan.maxUnreachable) {
    const message = `${hostCount(unreachable)} out of reach since being told, ${plan.maxUnreachable} may be`;
    return { reason: "unreachable", message };
  }
  if (pending > 0 || matched === waiting) {
    return { reason: "applying", message: `${hostCount(pending)} not at generation ${to} yet` };
  }
  if (done === 0) {
    return { reason: "noHostDone", message: `no host of the wave has applied generation ${to}` };
  }
  const unknown = unknownCounters(state, view);
  if (unknown.length > 0) {
    return { reason: "counterUnknown", message: `not known for now: ${unknown.join(", ")}` };
  }
  const [baked, all] = [state.bakedMs, bakeOf(state)].map((ms) => Math.round(ms / 1000));
  return { reason: "baking", message: `looked at for ${baked} of ${all} s` };
}

/** How long the present wave is looked at, in milliseconds. */
export function bakeOf({ plan, wave }: Pick<RolloutState, "plan" | "wave">): number {
  return plan.waves[wave]?.bakeMs ?? plan.bakeMs;
}
