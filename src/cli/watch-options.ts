import type { WatchOptions } from "@bpfmapd/client";
import { CpuFold } from "@bpfmapd/client/proto";
import { type Command, Option } from "commander";
import { parseDataText } from "./grammar/data.js";
import { parseDuration } from "./grammar/duration.js";
import { parseU32 } from "./grammar/number.js";

/** Options of every command that prints changes, of one host's map or of many. */
export interface ChangeOptions {
  readonly prefix?: Uint8Array;
  readonly interval?: number;
  readonly count?: number;
  readonly updatesOnly?: boolean;
  readonly follow?: boolean;
  readonly keysOnly?: boolean;
  readonly previous?: boolean;
  readonly sum?: "u32" | "u64";
}

/** Adds all of them but --sum; `map` is what is watched, as in "when the map is gone". */
export function addChangeOptions(command: Command, map: string): Command {
  return command
    .option("--prefix <data>", "only keys that begin with these bytes", (text) =>
      parseDataText(text, "--prefix"),
    )
    .option("--interval <duration>", "longest time between two scans, such as 100ms", parseDuration)
    .option("--count <number>", "stop after this many changes", (text) => parseU32(text, "--count"))
    .option("--updates-only", "changes from now on, without the contents first")
    .option("--follow", `when ${map} is gone, wait for its pin, name or hold to stand for another`)
    .option("--keys-only", "print no values")
    .option("--previous", "print the value before too, where it is known");
}

/** --sum. */
export function addSumOption(command: Command): Command {
  return command.addOption(
    new Option("--sum <word>", "of a per-CPU map, values added up over the CPUs").choices([
      "u32",
      "u64",
    ]),
  );
}

/** What a watch is asked for by them. */
export function changesAskedFor({ prefix, interval, sum, ...options }: ChangeOptions) {
  return {
    updatesOnly: options.updatesOnly ?? false,
    follow: options.follow ?? false,
    keysOnly: options.keysOnly ?? false,
    previousValues: options.previous ?? false,
    ...(prefix && { filter: { keyPrefix: prefix } }),
    ...(interval !== undefined && { pollIntervalMs: interval }),
    ...(sum && { fold: sum === "u32" ? CpuFold.SUM_U32 : CpuFold.SUM_U64 }),
  } satisfies WatchOptions;
}
