/** Rollouts: a map set's new generation, brought to its hosts in waves. */

export { type Assessment, assess, bakeOf, WAITS, type Wait } from "./assess.js";
export {
  type BesideManifest,
  besideManifest,
  besideRemoval,
  checkPatch,
  isInForce,
  type NewGeneration,
  type RolloutBegin,
} from "./begin-rollout.js";
export { CONTROLS, type Control, type ControlNote, controlled } from "./control.js";
export type { FleetView, HostView } from "./host-view.js";
export {
  type FleetObserver,
  RolloutDriver,
  type RolloutDriverOptions,
} from "./rollout-driver.js";
export { RolloutError, type RolloutErrorCode } from "./rollout-error.js";
export { rolloutKeys } from "./rollout-keys.js";
export {
  type CounterGate,
  completePlan,
  DEFAULT_PLAN,
  type RolloutPlan,
  sizeOf,
  type Wave,
} from "./rollout-plan.js";
export {
  admittedTickets,
  decodeRollout,
  encodeRollout,
  GATES,
  type GateFailure,
  type GateName,
  hasEnded,
  isForward,
  PHASES,
  type Phase,
  type RolloutState,
  type RolloutStep,
} from "./rollout-state.js";
export {
  type ControlRequest,
  Rollouts,
  type RolloutsOptions,
  type StoredRollout,
} from "./rollouts.js";
export { type PlacedHost, placedHosts, type Standing } from "./standing.js";
export { type StepInput, type Stepped, stepRollout } from "./step.js";
export { rolloutTargets, type SetHead, type Targets, targetsOf } from "./target.js";
export { ticketOf } from "./ticket.js";
export { type RolloutChange, type RolloutWatchOptions, watchRollouts } from "./watch-rollouts.js";
