import { type KeyRange, keysUnder } from "../store/index.js";

const STATES = "rollouts/state/";

/** Where the store has what of rollouts. */
export const rolloutKeys = {
  /** The last rollout of a set, which has ended or not. */
  state: (set: string): string => STATES + set,
  states: (): KeyRange => keysUnder(STATES),
  setOf: (key: string): string => key.slice(STATES.length),
  /** Whose relay drives the rollouts now: goes with its lease. */
  driver: (): string => "rollouts/driver",
};
