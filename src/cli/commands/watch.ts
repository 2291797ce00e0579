import type { BpfmapError, WatchOptions } from "@bpfmapd/client";
import { CpuFold, WatchFidelity } from "@bpfmapd/client/proto";
import { type Command, Option } from "commander";
import { CliError } from "../cli-error.js";
import { onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { parseCpu } from "../cpu-option.js";
import { parseDataText } from "../grammar/data.js";
import { parseDuration } from "../grammar/duration.js";
import { takeMap } from "../grammar/map-arg.js";
import { parseU32 } from "../grammar/number.js";
import type { Words } from "../grammar/words.js";
import { getMap } from "../maps.js";
import { typedFormat, typedValues } from "../typed-values.js";
import { addTypingOptions, type TypingOptions } from "../typing-options.js";
import type { Verb } from "../verb.js";
import { watchMap } from "../watch-map.js";
import { WatchPrinter } from "../watch-printer.js";

interface WatchVerbOptions extends TypingOptions {
  readonly prefix?: Uint8Array;
  readonly interval?: number;
  readonly count?: number;
  readonly updatesOnly?: boolean;
  readonly follow?: boolean;
  readonly keysOnly?: boolean;
  readonly previous?: boolean;
  readonly trace?: boolean;
  readonly everyCall?: boolean;
  readonly cpu?: number;
  readonly sum?: "u32" | "u64";
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
  const { prefix, interval, cpu, sum } = options;
  if (cpu !== undefined && sum !== undefined) {
    throw new CliError("--cpu and --sum exclude each other");
  }
  return {
    updatesOnly: options.updatesOnly ?? false,
    follow: options.follow ?? false,
    keysOnly: options.keysOnly ?? false,
    previousValues: options.previous ?? false,
    fidelity: fidelityOf(options),
    ...(prefix && { filter: { keyPrefix: prefix } }),
    ...(interval !== undefined && { pollIntervalMs: interval }),
    ...(cpu !== undefined && { cpu }),
    ...(sum && { fold: sum === "u32" ? CpuFold.SUM_U32 : CpuFold.SUM_U64 }),
  };
}

/** To trace slows down every write to every map of the host a little, so it is asked for. */
function fidelityOf({ everyCall, trace }: WatchVerbOptions): WatchFidelity {
  if (everyCall) return WatchFidelity.EVERY_CALL;
  return trace ? WatchFidelity.BEST_AVAILABLE : WatchFidelity.LATEST;
}

function addOptions(command: Command): void {
  addTypingOptions(command)
    .option("--prefix <data>", "only keys that begin with these bytes", (text) =>
      parseDataText(text, "--prefix"),
    )
    .option("--interval <duration>", "longest time between two scans, such as 100ms", parseDuration)
    .option("--count <number>", "stop after this many changes", (text) => parseU32(text, "--count"))
    .option("--updates-only", "changes from now on, without the contents first")
    .option("--follow", "when the map is gone, wait for its pin, name or hold to stand for another")
    .option("--keys-only", "print no values")
    .option("--previous", "print the value before too, where it is known")
    .option("--trace", "learn changes at once, and who made them, where the kernel allows it")
    .option("--every-call", "every update and delete call; fails where the kernel cannot be traced")
    .option("--cpu <number>", "of a per-CPU map, only this CPU's values", parseCpu)
    .addOption(
      new Option("--sum <word>", "of a per-CPU map, values added up over the CPUs").choices([
        "u32",
        "u64",
      ]),
    );
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
