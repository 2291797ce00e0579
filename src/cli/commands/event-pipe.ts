import type { RecordsOptions } from "@bpfmapd/client";
import { MapType } from "@bpfmapd/client/proto";
import type { Command } from "commander";
import { CliError } from "../cli-error.js";
import { anyOrder, NOTHING } from "../completion/candidates.js";
import { afterMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { EventPipePrinter } from "../event-pipe-printer.js";
import { takeMap } from "../grammar/map-arg.js";
import { parseU32, parseUnsigned } from "../grammar/number.js";
import type { Words } from "../grammar/words.js";
import { getMap } from "../maps.js";
import { addReadOptions, EXCLUSIVE, type ReadOptions, readOptions } from "../read-records.js";
import type { Verb } from "../verb.js";

interface EventPipeOptions extends ReadOptions {
  readonly pages?: number;
}

async function run(
  context: CliContext,
  words: Words,
  options: EventPipeOptions,
): Promise<undefined> {
  const arg = takeMap(words);
  const slot = takeSlot(words);
  const map = await getMap(context, arg);
  if (map.type !== MapType.PERF_EVENT_ARRAY) throw new CliError("map is not a perf event array");
  const stream = context.map({ by: "id", id: map.id }).records({
    ...readOptions(context, options),
    ...(slot && { slot }),
    ...(options.pages !== undefined && { pagesPerCpu: options.pages }),
  });
  const most = options.count ?? Number.POSITIVE_INFINITY;
  const printer = new EventPipePrinter(context, slot?.index);
  await printer.start();
  try {
    let printed = 0;
    for await (const event of stream) {
      await printer.print(event);
      if (event.type === "record" && ++printed >= most) break;
    }
  } catch (error) {
    // As with bpftool, it is the usual end, not a failure.
    if (!context.signal.aborted) throw error;
    context.note("Stopping...");
  }
  await printer.end();
}

/** Takes [cpu N index M], in any order. */
function takeSlot(words: Words): RecordsOptions["slot"] {
  let [cpu, index]: [number | undefined, number | undefined] = [undefined, undefined];
  while (!words.done) {
    if (words.take("cpu")) cpu = takeNumber(words, "CPU ID");
    else if (words.take("index")) index = takeNumber(words, "index");
    else throw new CliError(`what is '${words.peek()}'?`);
  }
  if (cpu === undefined && index === undefined) return undefined;
  if (cpu !== undefined && index !== undefined) return { cpu, index };
  throw new CliError("cpu and index must be specified together");
}

function takeNumber(words: Words, what: string): number {
  const word = words.next(what);
  const number = parseUnsigned(word);
  if (number === undefined || number > 0xffff_ffff) {
    throw new CliError(`can't parse ${word} as ${what}`);
  }
  return number;
}

function addOptions(command: Command): void {
  addReadOptions(command);
  command.option(
    "--pages <number>",
    "pages of each CPU's ring, a power of 2; 64 unless given",
    (text) => parseU32(text, "--pages"),
  );
}

export const eventPipe: Verb<EventPipeOptions> = {
  name: "event_pipe",
  usage: "MAP [cpu N index M]",
  summary: "print what programs write into a perf event array",
  details: `${EXCLUSIVE} Until interrupted, it reads the event of each CPU that is online, or the one of a CPU that is in a slot.`,
  examples: [
    ["map event_pipe name events", "until interrupted"],
    ["-j map event_pipe id 5 cpu 0 index 0 --count 10", "ten events of one CPU, as JSON"],
  ],
  addOptions,
  complete: afterMap(anyOrder({ cpu: () => NOTHING, index: () => NOTHING })),
  run,
};
