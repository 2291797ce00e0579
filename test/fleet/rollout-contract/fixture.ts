import { randomUUID } from "node:crypto";
import type { Clock, Store } from "#dist/fleet/index.js";
import {
  besideManifest,
  completePlan,
  type RolloutPlan,
  type RolloutState,
  rolloutKeys,
  type StoredRollout,
} from "#dist/fleet/rollout/index.js";

/** A clock that others let go on; who sleeps wakes at once. */
export class StepClock implements Clock {
  #now: number;

  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  pass(ms: number): void {
    this.#now += ms;
  }

  async sleep(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  random(): number {
    return 0.5;
  }
}

/** Begins a rollout of generation 5 after 4, as the write of a manifest does. */
export async function begin(
  store: Store,
  set: string,
  plan: Partial<RolloutPlan> = {},
  generation = 5,
): Promise<void> {
  const { entry } = await store.get(rolloutKeys.state(set));
  const next = { set, setId: "set-1", before: generation - 1, generation };
  const { compare, success } = besideManifest(
    entry,
    { ...next, plan: completePlan(plan) },
    { id: randomUUID(), by: "alice", at: 0 },
  );
  const { succeeded } = await store.transact({ compare, success });
  if (!succeeded) throw new Error("another has begun a rollout");
}

/** What a state is, that is kept to compare. */
export function summary({ state }: StoredRollout): Pick<RolloutState, "phase" | "wave"> {
  const { phase, wave } = state;
  return { phase, wave };
}
