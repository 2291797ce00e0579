import { firstState } from "#dist/fleet/rollout/begin-rollout.js";
import {
  completePlan,
  type FleetView,
  type HostView,
  type RolloutPlan,
  type RolloutState,
  rolloutTargets,
  stepRollout,
} from "#dist/fleet/rollout/index.js";

/** A rollout from generation 4 to 5 that nobody was told of yet. */
export function begun(plan: Partial<RolloutPlan> = {}, id = "rollout-1"): RolloutState {
  const next = { set: "routes", setId: "set-1", before: 4, generation: 5 };
  return firstState(next, completePlan(plan), 4, { id, by: "alice", at: 0 });
}

/** A host that is well, and has generation 4. */
export function host(id: string, facts: Partial<HostView> = {}): HostView {
  return { id, isReachable: true, applied: 4, hasDrifted: false, ...facts };
}

export function hosts(count: number): HostView[] {
  return Array.from({ length: count }, (_, index) => host(`host-${index}`));
}

export function view(all: readonly HostView[], counters: Record<string, number> = {}): FleetView {
  return { hosts: all, counters: new Map(Object.entries(counters)) };
}

/** Ids of the hosts that are to have generation 5. */
export function told(state: RolloutState, all: readonly HostView[]): string[] {
  const targetOf = rolloutTargets(state);
  return all.map(({ id }) => id).filter((id) => targetOf(id) === 5);
}

/** Hosts that have what they were told. */
export function obeyed(state: RolloutState, all: readonly HostView[]): HostView[] {
  const targetOf = rolloutTargets(state);
  return all.map((one) => ({ ...one, applied: one.isReachable ? targetOf(one.id) : one.applied }));
}

/** Takes one step, after so many milliseconds; the same state where there is none. */
export function step(state: RolloutState, now: FleetView, elapsedMs = 0): RolloutState {
  return stepRollout(state, { view: now, elapsedMs, at: 0 })?.state ?? state;
}

/** Takes steps until nothing changes but with time. */
export function settle(state: RolloutState, now: FleetView): RolloutState {
  for (let next = step(state, now); ; next = step(next, now)) {
    if (next === state) return state;
    state = next;
    if (stepRollout(state, { view: now, elapsedMs: 0, at: 0 })?.isUrgent !== true) return state;
  }
}
