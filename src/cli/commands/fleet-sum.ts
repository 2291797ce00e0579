import { Fleet, type FleetAggregate, type FleetAggregateOptions } from "@bpfmapd/client";
import type { Command } from "commander";
import { addFoldingOptions, askedOf, type FoldingOptions, fieldsOf } from "../aggregate-options.js";
import type { CliContext } from "../context.js";
import { ExitCode } from "../exit-code.js";
import {
  coverageText,
  fleetAggregateText,
  writeFleetAggregate,
} from "../format/fleet-aggregate.js";
import { jsonText } from "../format/json-writer.js";
import { parseDuration } from "../grammar/duration.js";
import { addHostOptions, type HostOptions, hostSelector } from "../grammar/host-selector.js";
import { takeMap } from "../grammar/map-arg.js";
import { parseU32 } from "../grammar/number.js";
import { firstNumber, type NumberFieldArg } from "../grammar/number-field.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

interface Options extends FoldingOptions, HostOptions {
  readonly keysPerHost?: number;
  readonly perHost?: boolean;
  readonly hostTimeout?: number;
  readonly interval?: number;
  readonly iterations?: number;
}

/** What is meant where no field is named: the relay does not know how large values are. */
const DEFAULT_FIELD = firstNumber(8);

async function run(
  context: CliContext,
  words: Words,
  options: Options,
): Promise<ExitCode | undefined> {
  const map = context.mapRefInit(takeMap(words));
  words.expectEnd();
  const fields = options.field ?? [DEFAULT_FIELD];
  const asked = fieldsOf(fields, options);
  const fleet = new Fleet(context.client);
  const call = { ...askOptions(options), ...context.longCall };
  if (options.interval === undefined) {
    const answer = await fleet.aggregate(map, asked, call);
    await print(context, answer, fields, false);
    return exitCodeOf(answer);
  }
  let printed = 0;
  const most = options.iterations ?? Number.POSITIVE_INFINITY;
  for await (const answer of fleet.aggregates(map, asked, options.interval, call)) {
    await print(context, answer, fields, printed > 0);
    if (++printed >= most) return exitCodeOf(answer);
  }
  return undefined;
}

function askOptions(options: Options): FleetAggregateOptions {
  const { keysPerHost, perHost, hostTimeout } = options;
  // The relay knows no types, so keys are asked for by them only where the user names some.
  const asked = askedOf(options, options.keyType !== undefined && !options.hex);
  return {
    ...asked,
    hosts: hostSelector(options),
    ...(keysPerHost !== undefined && { keysPerHost }),
    ...(perHost && { perHost }),
    ...(hostTimeout !== undefined && { hostTimeoutMs: hostTimeout }),
  };
}

async function print(
  context: CliContext,
  answer: FleetAggregate,
  fields: readonly NumberFieldArg[],
  isNext: boolean,
): Promise<void> {
  const names = fields.map(({ text }) => text);
  if (context.json) {
    const text = jsonText(context.pretty, (json) => writeFleetAggregate(json, answer, names));
    await context.out.write(text);
    return;
  }
  const text = fleetAggregateText(answer, names, context.style);
  await context.out.write(`${isNext ? "\n" : ""}${text}`);
  context.note(coverageText(answer, context.style));
}

function exitCodeOf({ coverage }: FleetAggregate): ExitCode | undefined {
  if (coverage.answered < coverage.matched) return ExitCode.PARTIAL;
  return coverage.incomplete > 0 ? ExitCode.INCOMPLETE : undefined;
}

function addOptions(command: Command): void {
  addHostOptions(addFoldingOptions(command))
    .option("--keys-per-host <number>", "keys that each host tells, for --top", (text) =>
      parseU32(text, "--keys-per-host"),
    )
    .option("--per-host", "each host's sums, too")
    .option("--host-timeout <duration>", "for each host (default: 30s)", parseDuration)
    .option("--interval <duration>", "again and again, with what was counted", parseDuration)
    .option("--iterations <number>", "stop after this many answers", (text) =>
      parseU32(text, "--iterations"),
    );
}

export const fleetSum: Verb<Options> = {
  name: "sum",
  usage: "MAP",
  summary: "fold numbers of a map's elements over many hosts",
  details:
    "Without --field it is the first u64 of the values. Of keys that not every host tells the sum " +
    "is known to lie between two numbers; --keys-per-host brings them closer.\n" +
    "Exit code 12 where not all hosts have answered.",
  examples: [
    ["fleet sum held drops", "over all hosts"],
    ["fleet sum name flows --field 8/u64 --top 10 --label zone=a", "and the keys that have most"],
    ["fleet sum held drops --interval 1s", "and what is counted each second"],
    ["-j fleet sum held drops --per-host", "for programs, with each host's own"],
  ],
  addOptions,
  run,
};
