import {
  type Map as BpfMap,
  CpuFold,
  type DumpMapRequestSchema,
  type DumpSummary,
  type Elements,
  IncompleteReason,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Option } from "commander";
import { CliError } from "../cli-error.js";
import { onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { parseCpu } from "../cpu-option.js";
import {
  DumpPrinter,
  type DumpPrinterOptions,
  type DumpSink,
  MultiDumpPrinter,
} from "../dump-printer.js";
import { ExitCode } from "../exit-code.js";
import { parseDataText } from "../grammar/data.js";
import { takeMap } from "../grammar/map-arg.js";
import { parseU32, parseU64 } from "../grammar/number.js";
import type { Words } from "../grammar/words.js";
import { getMaps } from "../maps.js";
import type { Progress } from "../progress.js";
import { addOrderOptions, conditionsOf, type OrderOptions, orderOf } from "../query-options.js";
import { typedFormat, typedValues } from "../typed-values.js";
import { addTypingOptions, type TypingOptions, typingOf } from "../typing-options.js";
import type { Verb } from "../verb.js";

interface DumpOptions extends TypingOptions, OrderOptions {
  readonly limit?: bigint;
  readonly rate?: number;
  readonly prefix?: Uint8Array;
  readonly cpu?: number;
  readonly sum?: "u32" | "u64";
}

/** What is asked for of a dump besides its map. */
export type DumpQuery = Omit<
  MessageInitShape<typeof DumpMapRequestSchema>,
  "map" | "$typeName" | "$unknown"
>;

async function run(
  context: CliContext,
  words: Words,
  options: DumpOptions,
): Promise<ExitCode | undefined> {
  const arg = takeMap(words);
  words.expectEnd();
  const query = queryOf(options);
  const maps = await getMaps(context, arg);
  if (maps.length > 1) return dumpSeveral(context, maps, query, options);
  const progress = dumpProgress(context);
  const printer = new DumpPrinter(context, printerOptions(context, query, options));
  const request = { ...query, ...formatOf(maps, options), map: context.mapRef(arg) };
  const summary = await streamDump(context, request, printer, progress);
  return completeness(context, summary, query);
}

function printerOptions(
  context: CliContext,
  query: DumpQuery,
  options: DumpOptions,
): DumpPrinterOptions {
  return {
    singleValue: query.cpuView !== undefined,
    typed: (map) => typedValues(context, map, options),
  };
}

/** Conditions and orders are by type, however elements are printed. */
function formatOf([map]: readonly BpfMap[], options: DumpOptions) {
  const typing = typingOf(options);
  return { ...(typing && { typing }), ...(map && typedFormat(map, options)) };
}

async function dumpSeveral(
  context: CliContext,
  maps: readonly BpfMap[],
  query: DumpQuery,
  options: DumpOptions,
): Promise<ExitCode | undefined> {
  const progress = dumpProgress(context);
  const printer = new MultiDumpPrinter(context, printerOptions(context, query, options));
  let code: ExitCode | undefined;
  await printer.start();
  for (const map of maps) {
    const ref = context.mapRef({ by: "id", id: map.id });
    const request = { ...query, ...formatOf([map], options), map: ref };
    const summary = await streamDump(context, request, printer, progress);
    code = completeness(context, summary, query) ?? code;
  }
  await printer.finish();
  return code;
}

/** Elements that go to a file or a pipe take their time unseen; on a terminal they are seen. */
function dumpProgress(context: CliContext): Progress | undefined {
  return context.tables ? undefined : context.progress({ label: "dumping" });
}

function queryOf(options: DumpOptions): DumpQuery {
  if (options.cpu !== undefined && options.sum !== undefined) {
    throw new CliError("--cpu and --sum exclude each other");
  }
  const order = orderOf(options);
  const { prefix } = options;
  const filter = { ...(prefix && { keyPrefix: prefix }), ...conditionsOf(options) };
  return {
    maxElements: options.limit ?? 0n,
    maxElementsPerSecond: options.rate ?? 0,
    filter,
    ...(order && { order }),
    ...(options.cpu === undefined
      ? {}
      : { cpuView: { view: { case: "cpu", value: options.cpu } } }),
    ...(options.sum === undefined
      ? {}
      : {
          cpuView: {
            view: {
              case: "fold",
              value: options.sum === "u32" ? CpuFold.SUM_U32 : CpuFold.SUM_U64,
            },
          },
        }),
  };
}

/** Runs one dump into a sink, at the sink's pace, and returns its summary. */
export async function streamDump(
  context: CliContext,
  request: MessageInitShape<typeof DumpMapRequestSchema>,
  sink: DumpSink,
  progress: Progress | undefined,
): Promise<DumpSummary> {
  try {
    for await (const { kind } of context.client.maps.dumpMap(request, context.longCall)) {
      switch (kind.case) {
        case "header":
          await sink.header(kind.value.map!);
          break;
        case "elements":
          await sink.elements(kind.value satisfies Elements);
          progress?.add(kind.value.count);
          break;
        case "summary":
          progress?.stop();
          await sink.summary(kind.value);
          return kind.value;
      }
    }
  } finally {
    progress?.stop();
  }
  throw new CliError("the daemon ended the dump without its summary: the output is cut");
}

/** Tells of a dump that missed something that was not asked to be missed. */
function completeness(
  context: CliContext,
  summary: DumpSummary,
  query: DumpQuery,
): ExitCode | undefined {
  const asked = summary.incompleteReason === IncompleteReason.MAX_ELEMENTS && query.maxElements;
  if (summary.complete || asked) return undefined;
  context.note(`Warning: the dump is not complete: ${incompleteText(summary)}`);
  return ExitCode.INCOMPLETE;
}

/** Why a dump is not complete, for people. */
export function incompleteText(summary: DumpSummary): string {
  switch (summary.incompleteReason) {
    case IncompleteReason.RESTARTS:
      return `the map changed too fast (${summary.restarts} restarts)`;
    case IncompleteReason.DEDUP_MEMORY:
      return "telling repeated elements apart needs more memory than limits.dedup_memory_bytes";
    case IncompleteReason.MAX_ELEMENTS:
      return "there are more elements than were asked for";
    default:
      return "the daemon does not say why";
  }
}

export const dump: Verb<DumpOptions> = {
  name: "dump",
  usage: "MAP",
  summary: "print all elements",
  details:
    "It is no snapshot: elements that change meanwhile may be seen before or after the change. " +
    "Exit code 10 where the map changed too fast to be read completely. A name that several maps " +
    "share dumps all of them. Elements that have types (BTF) are printed by them.",
  examples: [
    ["map dump id 5", "as text, or as a table on a terminal"],
    ["-j map dump pinned /sys/fs/bpf/stats > stats.json", "for programs, and for `map load`"],
    ["map dump name routes --prefix 'hex 18 00 00 00 0a' --limit 10", "some of them"],
    ["map dump name hits --sum u64", "per-CPU counters added up on the host"],
    ["map dump name flows --where 'value.bytes > 1000' --by value.bytes --top 10", "the largest"],
    ["map dump id 7 --types vmlinux --value-type 'struct iphdr'", "by types that the map lacks"],
  ],
  addOptions: (command) => {
    addTypingOptions(addOrderOptions(command));
    command
      .option("--limit <number>", "stop after this many elements", (text) =>
        parseU64(text, "--limit"),
      )
      .option("--rate <number>", "read at most this many elements a second", (text) =>
        parseU32(text, "--rate"),
      )
      .option("--prefix <data>", "only keys that begin with these bytes", (text) =>
        parseDataText(text, "--prefix"),
      )
      .option("--cpu <number>", "of a per-CPU map, only this CPU's values", parseCpu)
      .addOption(
        new Option("--sum <word>", "of a per-CPU map, values added up over the CPUs").choices([
          "u32",
          "u64",
        ]),
      );
  },
  complete: onlyMap,
  run,
};
