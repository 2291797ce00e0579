import { type Comparison, type Entry, isAt, type Operation, put, remove } from "../store/index.js";
import { invalidField, RolloutError } from "./rollout-error.js";
import { rolloutKeys } from "./rollout-keys.js";
import type { RolloutPlan } from "./rollout-plan.js";
import {
  decodeRollout,
  encodeRollout,
  hasEnded,
  isForward,
  type RolloutState,
} from "./rollout-state.js";

/** What a write of a set's manifest has to compare and write beside, in its transaction. */
export interface BesideManifest {
  readonly compare: readonly Comparison[];
  readonly success: readonly Operation[];
  /** A generation that the hosts are on: its manifest is to be kept. 0 for none. */
  readonly kept: number;
  /** Generations whose manifests were kept for the rollout before, and are not for it any more. */
  readonly dropped: readonly number[];
}

/** A new generation of a set, that is about to be written. */
export interface NewGeneration {
  readonly set: string;
  readonly setId: string;
  /** The generation that the set is at; 0 for a new set. */
  readonly before: number;
  readonly generation: number;
  /** How it is rolled out; absent for every host at once. */
  readonly plan?: RolloutPlan | undefined;
}

/** Who begins a rollout, and when. */
export interface RolloutBegin {
  /** The rollout's id: a string that nobody has made before. */
  readonly id: string;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/**
 * What goes with the write of a new generation. While a set is being rolled out, no other
 * generation can be put: it would have to be told which hosts it is for. After one that was
 * aborted, hosts are on two generations: then only one for all of them at once can be.
 * ROLLOUT_RUNNING, INVALID_ARGUMENT, DAMAGED.
 * @param entry of the set's rollout, as it was read with the manifest
 */
export function besideManifest(
  entry: Entry | undefined,
  next: NewGeneration,
  begin: RolloutBegin,
): BesideManifest {
  const last = entry && decodeRollout(entry.value);
  const key = rolloutKeys.state(next.set);
  const compare = [isAt(key, entry?.modRevision ?? 0n)];
  const present = last?.setId === next.setId && last.to === next.before ? last : undefined;
  checkEnded(present);
  if (next.plan === undefined) {
    return { compare, success: entry ? [remove(key)] : [], kept: 0, dropped: keptFor(last) };
  }
  checkSettled(present);
  const from = present === undefined || present.phase === "completed" ? next.before : present.from;
  checkRollBack(next.plan, from);
  const state = firstState(next, next.plan, from, begin);
  const success = [put(key, encodeRollout(state))];
  return { compare, success, kept: from, dropped: keptFor(last) };
}

/** What goes with the removal of a set. ROLLOUT_RUNNING, DAMAGED. */
export function besideRemoval(set: string, entry: Entry | undefined): BesideManifest {
  const last = entry && decodeRollout(entry.value);
  checkEnded(last);
  const key = rolloutKeys.state(set);
  const success = entry ? [remove(key)] : [];
  const compare = [isAt(key, entry?.modRevision ?? 0n)];
  return { compare, success, kept: 0, dropped: keptFor(last) };
}

/**
 * Refuses a patch of a set whose hosts went back: it would be made to elements that they do not
 * have. ROLLOUT_RUNNING, DAMAGED.
 */
export function checkPatch(set: string, entry: Entry | undefined): void {
  const last = entry && decodeRollout(entry.value);
  checkEnded(last);
  if (last?.phase !== "rolledBack") return;
  throw new RolloutError(
    "ROLLOUT_RUNNING",
    `map set "${set}" was rolled back from generation ${last.to} to ${last.from}: put all its elements, since a patch would be made to those of ${last.to}`,
  );
}

/** Whether the set's generation is the one that its hosts are to have, or are on their way to. */
export function isInForce(entry: Entry | undefined): boolean {
  const last = entry && decodeRollout(entry.value);
  return last === undefined || isForward(last) || last.phase === "completed";
}

function keptFor(last: RolloutState | undefined): number[] {
  return last === undefined ? [] : [last.from];
}

/** A rollout that nobody was told of yet. */
export function firstState(
  { set, setId, generation }: NewGeneration,
  plan: RolloutPlan,
  from: number,
  { id, by, at }: RolloutBegin,
): RolloutState {
  const message = `generation ${generation}, wave 1 of ${plan.waves.length}`;
  return {
    ...{ format: 1, id, set, setId, from, to: generation, plan },
    ...{ phase: "applying", wave: 0, size: 0, admitted: "", toldAll: false },
    ...{ bakedMs: 0, waitedMs: 0, done: 0, baselines: {} },
    history: [{ what: "began", at, by, message }],
  };
}

function checkEnded(last: RolloutState | undefined): void {
  if (last === undefined || hasEnded(last)) return;
  throw new RolloutError(
    "ROLLOUT_RUNNING",
    `map set "${last.set}" is being rolled out to generation ${last.to}: wait until that has ended, roll it back, or abort it`,
  );
}

function checkSettled(last: RolloutState | undefined): void {
  // One that was aborted before anybody was told, or on the way back, leaves no mixture.
  if (last?.phase !== "aborted" || last.admitted === "") return;
  throw new RolloutError(
    "ROLLOUT_RUNNING",
    `hosts of map set "${last.set}" are on generations ${last.from} and ${last.to}, since its rollout was aborted: roll it back first, or put a generation for all hosts at once`,
  );
}

function checkRollBack({ onFailure }: RolloutPlan, from: number): void {
  if (onFailure === "pause" || from > 0) return;
  throw invalidField(
    "onFailure",
    "a set's first generation has none before it to go back to: let it pause, or put an empty set first",
  );
}
