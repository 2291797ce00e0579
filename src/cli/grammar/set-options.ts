import { DriftAction, Ownership } from "@bpfmapd/client/proto";
import { type Command, Option } from "commander";
import { CliError } from "../cli-error.js";

/** Options that say how a map set is kept, and which generation of it is meant. */
export interface SetOptions {
  readonly ownership?: string;
  readonly drift?: string;
  readonly expect?: bigint;
}

const OWNERSHIPS = ["exclusive", "merge", "additive"] as const;
const DRIFTS = ["repair", "report"] as const;

/** Adds them to a command. */
export function addSetOptions(command: Command): Command {
  const ownership =
    "of elements that the set does not have: exclusive removes\nthem, merge only own ones, additive none";
  const drift = "what is done about others' changes";
  return addExpectOption(command)
    .addOption(new Option("--ownership <which>", ownership).choices([...OWNERSHIPS]))
    .addOption(new Option("--drift <action>", drift).choices([...DRIFTS]));
}

/** Adds the option for the generation that the set must be at. */
export function addExpectOption(command: Command): Command {
  const what = "only if the set is at this generation; 0 for none";
  return command.option("--expect <generation>", what, parseGeneration);
}

/** A generation's number. */
export function parseGeneration(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new CliError(`"${text}" is no generation: give a number`);
}

/** The ownership that was given; UNSPECIFIED for none. */
export function ownershipOf({ ownership }: SetOptions): Ownership {
  switch (ownership) {
    case "exclusive":
      return Ownership.EXCLUSIVE;
    case "merge":
      return Ownership.MERGE;
    case "additive":
      return Ownership.ADDITIVE;
    default:
      return Ownership.UNSPECIFIED;
  }
}

/** The action that was given; UNSPECIFIED for none. */
export function driftOf({ drift }: SetOptions): DriftAction {
  switch (drift) {
    case "repair":
      return DriftAction.REPAIR;
    case "report":
      return DriftAction.REPORT;
    default:
      return DriftAction.UNSPECIFIED;
  }
}
