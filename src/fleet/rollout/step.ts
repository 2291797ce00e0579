import { type Admission, admission } from "./admit.js";
import { type Assessment, assess, bakeOf } from "./assess.js";
import { failedGate, failureOf, slowCounter } from "./gates.js";
import type { FleetView } from "./host-view.js";
import {
  type GateFailure,
  hasEnded,
  isForward,
  noted,
  type RolloutState,
} from "./rollout-state.js";
import { idsOf } from "./standing.js";

/** What a step is taken by. */
export interface StepInput {
  readonly view: FleetView;
  /** Milliseconds that the state has been looked at as it is; see the driver. */
  readonly elapsedMs: number;
  /** Milliseconds since 1970, for people. */
  readonly at: number;
}

/** What becomes of a state. */
export interface Stepped {
  readonly state: RolloutState;
  /**
   * Whether it is to be written at once. Otherwise only times have passed, which may be written
   * now and then: what is lost of them makes the rollout slower, never faster.
   */
  readonly isUrgent: boolean;
}

/** Moves a rollout on by what is known now, one step at a time; undefined where nothing changes. */
export function stepRollout(state: RolloutState, input: StepInput): Stepped | undefined {
  if (hasEnded(state) || state.hold !== undefined) return undefined;
  const facts = assess(state, input.view);
  return isForward(state) ? forward(state, input, facts) : back(state, input, facts);
}

function back(
  state: RolloutState,
  { at }: StepInput,
  { pending, failed }: Assessment,
): Stepped | undefined {
  if (pending + failed > 0) return undefined;
  const ended = { phase: "rolledBack", admitted: "", toldAll: false } as const;
  return urgent({ ...state, ...ended, ...noted(state, "rolledBack", { at }) });
}

function forward(state: RolloutState, input: StepInput, facts: Assessment): Stepped | undefined {
  const failure = failedGate(state, input.view, facts.placed);
  if (failure !== undefined) return failed(state, failure, input.at);
  const next = admission(state, facts);
  if (next.admitted !== state.admitted || next.size !== state.size) return admitted(state, next);
  return facts.waitsFor?.reason === "baking"
    ? settled(state, input)
    : unsettled(state, input, facts);
}

/** Others are told than were. A wave of so many hosts is looked at for all its time anew. */
function admitted(state: RolloutState, next: Admission): Stepped {
  const bakedMs = next.size === undefined ? state.bakedMs : 0;
  return urgent({ ...state, ...next, phase: "applying", bakedMs, waitedMs: 0, done: 0 });
}

function settled(state: RolloutState, { view, elapsedMs, at }: StepInput): Stepped | undefined {
  if (state.phase === "applying") {
    const known = [...view.counters].filter(([name]) =>
      state.plan.counters.some((gate) => gate.name === name),
    );
    return urgent({
      ...state,
      phase: "baking",
      waitedMs: 0,
      baselines: Object.fromEntries(known),
    });
  }
  const bakedMs = state.bakedMs + elapsedMs;
  if (bakedMs < bakeOf(state)) return changed(state, { bakedMs });
  const failure = slowCounter(state, view);
  return failure === undefined ? nextWave(state, at) : failed(state, failure, at);
}

function nextWave(state: RolloutState, at: number): Stepped {
  const wave = state.wave + 1;
  if (wave === state.plan.waves.length) {
    const ended = { phase: "completed", admitted: "", toldAll: true } as const;
    return urgent({ ...state, ...ended, ...noted(state, "completed", { at }) });
  }
  const message = `wave ${wave + 1} of ${state.plan.waves.length}`;
  return urgent({
    ...state,
    ...{ phase: "applying", wave, size: 0, bakedMs: 0, waitedMs: 0, done: 0 },
    ...noted(state, "wave", { at, message }),
  });
}

function unsettled(
  state: RolloutState,
  { elapsedMs, at }: StepInput,
  facts: Assessment,
): Stepped | undefined {
  const { done } = facts;
  if (state.phase === "baking") return urgent({ ...state, phase: "applying", waitedMs: 0, done });
  if (facts.matched === facts.waiting) return undefined;
  if (done > state.done) return changed(state, { done, waitedMs: 0 });
  const waitedMs = state.waitedMs + elapsedMs;
  if (waitedMs < state.plan.progressMs) return changed(state, { waitedMs });
  return failed(state, lateGate(state, facts), at);
}

/** The gate that fails since a wave does not come to its end. */
function lateGate({ plan }: RolloutState, { waitsFor, placed }: Assessment): GateFailure {
  const seconds = Math.round(plan.progressMs / 1000);
  const message = `${waitsFor?.message}, for ${seconds} s`;
  switch (waitsFor?.reason) {
    case "unreachable":
      return failureOf("unreachable", message, idsOf(placed, "unreachable"));
    case "counterUnknown":
      return failureOf("counter", message);
    case "noHostDone":
      return failureOf("progress", message, idsOf(placed, "failed"));
    default:
      return failureOf("progress", message, idsOf(placed, "pending"));
  }
}

function failed(state: RolloutState, failure: GateFailure, at: number): Stepped {
  const after = {
    ...state,
    failure,
    ...noted(state, "gateFailed", { at, message: failure.message }),
  };
  if (state.plan.onFailure === "pause" || state.from === 0) {
    return urgent({ ...after, hold: { by: "", failure } });
  }
  return urgent({ ...after, phase: "rollingBack", ...noted(after, "rollBack", { at }) });
}

function urgent(state: RolloutState): Stepped {
  return { state, isUrgent: true };
}

function changed(
  state: RolloutState,
  times: Partial<Pick<RolloutState, "bakedMs" | "waitedMs" | "done">>,
): Stepped {
  return { state: { ...state, ...times }, isUrgent: false };
}
