import type { FleetView } from "./host-view.js";
import type { CounterGate } from "./rollout-plan.js";
import type { GateFailure, RolloutState } from "./rollout-state.js";
import type { PlacedHost } from "./standing.js";

/** Hosts that a failure names. */
const NAMED_HOSTS = 16;

/** The gate that fails now, if one does; those that take time are the step's. */
export function failedGate(
  state: RolloutState,
  view: FleetView,
  placed: readonly PlacedHost[],
): GateFailure | undefined {
  return failedHosts(state, placed) ?? driftedHosts(state, placed) ?? failedCounter(state, view);
}

/** A failure that names some of its hosts. */
export function failureOf(
  gate: GateFailure["gate"],
  message: string,
  hosts: readonly string[] = [],
): GateFailure {
  return { gate, message, hosts: hosts.slice(0, NAMED_HOSTS) };
}

/** Names of the counter gates whose numbers are not known. */
export function unknownCounters({ plan }: RolloutState, { counters }: FleetView): string[] {
  return plan.counters.map(({ name }) => name).filter((name) => !counters.has(name));
}

/** So many hosts, in words. */
export function hostCount(count: number): string {
  return count === 1 ? "1 host" : `${count} hosts`;
}

function failedHosts({ plan, to }: RolloutState, placed: readonly PlacedHost[]) {
  const failed = placed.filter(({ standing }) => standing === "failed");
  if (failed.length <= plan.maxFailures) return undefined;
  const { id, error } = failed[0]!.host;
  return failureOf(
    "failures",
    `${hostCount(failed.length)} could not apply generation ${to}, ${plan.maxFailures} may fail; ${id}: ${error?.message}`,
    failed.map(({ host }) => host.id),
  );
}

function driftedHosts({ plan, to }: RolloutState, placed: readonly PlacedHost[]) {
  if (plan.maxDrifted === undefined) return undefined;
  // One that has applied the generation may fail since, as where its map is gone.
  const drifted = placed.filter(
    ({ host, standing }) =>
      host.hasDrifted && host.applied === to && (standing === "done" || standing === "failed"),
  );
  if (drifted.length <= plan.maxDrifted) return undefined;
  return failureOf(
    "drift",
    `maps of ${hostCount(drifted.length)} were changed by others, ${plan.maxDrifted} may be`,
    drifted.map(({ host }) => host.id),
  );
}

function failedCounter(state: RolloutState, { counters }: FleetView) {
  for (const gate of state.plan.counters) {
    const number = counters.get(gate.name);
    const message = number === undefined ? undefined : outOfBounds(state, gate, number);
    if (message !== undefined) return failureOf("counter", message);
  }
  return undefined;
}

function outOfBounds(
  { phase, baselines }: RolloutState,
  { name, of, above, below }: CounterGate,
  number: number,
): string | undefined {
  let looked = number;
  if (of === "increase") {
    const baseline = baselines[name];
    if (phase !== "baking" || baseline === undefined) return undefined;
    // A map that was made anew counts from zero.
    looked = number < baseline ? number : number - baseline;
  }
  const what = of === "increase" ? `${name} has grown by ${looked}` : `${name} is ${looked}`;
  if (above !== undefined && looked > above) return `${what}, which is above ${above}`;
  // What is to grow has all of the bake time for it.
  if (below !== undefined && looked < below && of === "value") {
    return `${what}, which is below ${below}`;
  }
  return undefined;
}

/** A counter that has not grown enough at the end of the bake time. */
export function slowCounter(state: RolloutState, { counters }: FleetView): GateFailure | undefined {
  for (const { name, of, below } of state.plan.counters) {
    const [number, baseline] = [counters.get(name), state.baselines[name]];
    if (of === "value" || below === undefined) continue;
    if (number === undefined || baseline === undefined) continue;
    const grown = number < baseline ? number : number - baseline;
    if (grown < below) {
      return failureOf("counter", `${name} has grown by ${grown}, which is below ${below}`);
    }
  }
  return undefined;
}
