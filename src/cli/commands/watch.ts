import type { BpfmapError, WatchOptions } from "@bpfmapd/client";
import { WatchFidelity } from "@bpfmapd/client/proto";
import type { Command } from "commander";
import { CliError } from "../cli-error.js";
import { onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { parseCpu } from "../cpu-option.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import { getMap } from "../maps.js";
import { typedFormat, typedValues } from "../typed-values.js";
import { addTypingOptions, type TypingOptions } from "../typing-options.js";
import type { Verb } from "../verb.js";
import { watchMap } from "../watch-map.js";
import {
  addChangeOptions,
  addSumOption,
  type ChangeOptions,
  changesAskedFor,
} from "../watch-options.js";
import { WatchPrinter } from "../watch-printer.js";

interface WatchVerbOptions extends TypingOptions, ChangeOptions {
  readonly trace?: boolean;
  readonly everyCall?: boolean;
  readonly cpu?: number;
}

async function run(
  context: CliContext,
  words: Words,
  options: WatchVerbOptions,
): Promise<undefined> {
  const arg = takeMap(words);
  words.expectEnd();
  const map = await getMap(context, arg);
  const printer = new WatchPrinter(context, {
    keysOnly: options.keysOnly ?? false,
    singleValue: options.cpu !== undefined || options.sum !== undefined,
    typed: await typedValues(context, map, options),
    explainsSource: fidelityOf(options) !== WatchFidelity.LATEST,
  });
  const most = options.count ?? Number.POSITIVE_INFINITY;
  let printed = 0;
  const onLost = ({ message }: BpfmapError) => context.note(`-- ${message}: trying again`);
  const watched = { ...watchOptions(options), ...typedFormat(map, options), onLost };
  for await (const event of watchMap(context, arg, watched)) {
    await printer.print(event);
    if (event.type === "put" || event.type === "delete") printed++;
    if (printed >= most) return;
  }
}

function watchOptions(options: WatchVerbOptions): WatchOptions {
  const { cpu, sum } = options;
  if (cpu !== undefined && sum !== undefined) {
    throw new CliError("--cpu and --sum exclude each other");
  }
  return {
    ...changesAskedFor(options),
    fidelity: fidelityOf(options),
    ...(cpu !== undefined && { cpu }),
  };
}

/** To trace slows down every write to every map of the host a little, so it is asked for. */
function fidelityOf({ everyCall, trace }: WatchVerbOptions): WatchFidelity {
  if (everyCall) return WatchFidelity.EVERY_CALL;
  return trace ? WatchFidelity.BEST_AVAILABLE : WatchFidelity.LATEST;
}

function addOptions(command: Command): void {
  addChangeOptions(addTypingOptions(command), "the map")
    .option("--trace", "learn changes at once, and who made them, where the kernel allows it")
    .option("--every-call", "every update and delete call; fails where the kernel cannot be traced")
    .option("--cpu <number>", "of a per-CPU map, only this CPU's values", parseCpu);
  addSumOption(command);
}

export const watch: Verb<WatchVerbOptions> = {
  name: "watch",
  usage: "MAP",
  summary: "print the contents, then changes as they come",
  details:
    "Lines say init for the contents, put for what was added or changed, and delete. Lines that " +
    "begin with -- are no changes and go to standard error. It outlives restarts of the daemon. " +
    "Where the map is found out by scans, a change that is undone between two of them is not seen. " +
    "Elements that have types (BTF) are printed by them.",
  examples: [
    ["map watch id 5", "until interrupted"],
    ["map watch name routes --updates-only --previous", "changes only, with the value before"],
    ["-j map watch pinned /sys/fs/bpf/stats --follow", "for programs: one JSON object a line"],
    ["map watch id 5 --prefix 'hex 0a 00' --count 1", "wait for one change"],
  ],
  addOptions,
  complete: onlyMap,
  run,
};
