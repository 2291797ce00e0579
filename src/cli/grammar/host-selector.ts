import type { HostSelectorInit } from "@bpfmapd/client";
import { LabelRequirement_Operator as Operator } from "@bpfmapd/client/proto";
import type { Command } from "commander";
import { CliError } from "../cli-error.js";

/** Options that choose hosts of a fleet. */
export interface HostOptions {
  readonly host?: readonly string[];
  readonly label?: readonly string[];
}

/** Adds them to a command. */
export function addHostOptions(command: Command): Command {
  const gather = (text: string, list: readonly string[] = []) => [...list, text];
  return command
    .option("--host <id>", "only this host; may be repeated", gather)
    .option(
      "--label <requirement>",
      "only hosts whose label is so: zone=a, zone=a,b,\nzone!=a, zone, or !zone; may be repeated",
      gather,
    );
}

/** The hosts that options choose; all where there are none. */
export function hostSelector({ host = [], label = [] }: HostOptions): HostSelectorInit {
  return { hostIds: [...host], requirements: label.map(requirement) };
}

function requirement(text: string) {
  const [, not, key = "", operator, values = ""] = /^(!?)([^=!,\s]+)(!?=)?(.*)$/.exec(text) ?? [];
  const isBare = operator === undefined && values === "";
  if (key === "" || (not === "!" && !isBare) || (operator === undefined && !isBare)) {
    throw new CliError(`--label ${text} is none of zone=a, zone=a,b, zone!=a, zone and !zone`);
  }
  if (isBare) {
    return { key, operator: not === "!" ? Operator.DOES_NOT_EXIST : Operator.EXISTS, values: [] };
  }
  const among = operator === "=" ? Operator.IN : Operator.NOT_IN;
  return { key, operator: among, values: values.split(",") };
}
