import { RolloutError } from "./rollout-error.js";
import { isForward, noted, type RolloutState } from "./rollout-state.js";

/**
 * What can be asked of a rollout:
 * - pause: nobody further is told of the generation; who was told goes on;
 * - resume: it goes on, and its gates are looked at anew;
 * - abort: it ends, with each host on what it was told;
 * - rollBack: every host that was told goes back to the generation before.
 */
export const CONTROLS = ["pause", "resume", "abort", "rollBack"] as const;
export type Control = (typeof CONTROLS)[number];

/** Who asks, and when. */
export interface ControlNote {
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Why, for people; may be empty. */
  readonly message: string;
}

/**
 * What a rollout becomes; the same where it is so already, so that a control may be repeated.
 * NOT_POSSIBLE.
 */
export function controlled(state: RolloutState, control: Control, note: ControlNote): RolloutState {
  switch (control) {
    case "pause":
      return paused(state, note);
    case "resume":
      return resumed(state, note);
    case "abort":
      return aborted(state, note);
    case "rollBack":
      return rollingBack(state, note);
  }
}

function paused(state: RolloutState, note: ControlNote): RolloutState {
  if (!isForward(state)) throw impossible(state, "paused");
  if (state.hold !== undefined) return state;
  return { ...state, hold: { by: note.by }, ...noted(state, "paused", note) };
}

function resumed(state: RolloutState, note: ControlNote): RolloutState {
  if (!isForward(state)) throw impossible(state, "resumed");
  if (state.hold === undefined) return state;
  const { hold: _, ...rest } = state;
  return { ...rest, waitedMs: 0, ...noted(state, "resumed", note) };
}

function aborted(state: RolloutState, note: ControlNote): RolloutState {
  if (state.phase === "aborted") return state;
  if (state.phase === "completed" || state.phase === "rolledBack") {
    throw impossible(state, "aborted");
  }
  // Who was told to go back stays told so.
  const admitted = state.phase === "rollingBack" ? "" : state.admitted;
  const { hold: _, ...rest } = state;
  return { ...rest, phase: "aborted", admitted, toldAll: false, ...noted(state, "aborted", note) };
}

function rollingBack(state: RolloutState, note: ControlNote): RolloutState {
  if (state.phase === "rollingBack" || state.phase === "rolledBack") return state;
  if (state.from === 0) {
    throw new RolloutError(
      "NOT_POSSIBLE",
      `map set "${state.set}" has no generation before ${state.to} to go back to: abort, and put one that is empty`,
    );
  }
  const { hold: _, ...rest } = state;
  return { ...rest, phase: "rollingBack", ...noted(state, "rollBack", note) };
}

const IN_WORDS = {
  applying: "goes on",
  baking: "goes on",
  rollingBack: "is being rolled back",
  completed: "is completed",
  rolledBack: "was rolled back",
  aborted: "was aborted",
} as const;

function impossible({ set, to, phase }: RolloutState, asked: string): RolloutError {
  return new RolloutError(
    "NOT_POSSIBLE",
    `the rollout of map set "${set}" to generation ${to} ${IN_WORDS[phase]}: it cannot be ${asked}`,
  );
}
