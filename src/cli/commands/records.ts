import type { LostEvent, RecordEvent } from "@bpfmapd/client";
import { onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { hexLines } from "../format/hex.js";
import { jsonText } from "../format/json-writer.js";
import { lossName, lossText } from "../format/loss.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import { addReadOptions, EXCLUSIVE, type ReadOptions, readOptions } from "../read-records.js";
import type { Verb } from "../verb.js";

async function run(context: CliContext, words: Words, options: ReadOptions): Promise<undefined> {
  const arg = takeMap(words);
  words.expectEnd();
  const stream = context.map(arg).records(readOptions(context, options));
  const most = options.count ?? Number.POSITIVE_INFINITY;
  let printed = 0;
  for await (const event of stream) {
    await context.out.write(context.json ? eventJson(event) : eventText(context, event));
    if (event.type === "record" && ++printed >= most) return;
  }
}

function eventText({ style }: CliContext, event: RecordEvent | LostEvent): string {
  if (event.type === "lost") {
    return `${style.red(`lost ${event.count} records${lossText(event)}`)}\n`;
  }
  const { sequence, data, cpu, timeNs } = event;
  const title = [`#${sequence}`, `${data.length} bytes`];
  if (cpu !== undefined) title.push(`cpu ${cpu}`);
  if (timeNs !== undefined) title.push(`at ${timeNs} ns`);
  return `${[style.dim(title.join("  ")), ...hexLines(data)].join("\n")}\n`;
}

/** One line each, so that a reader need not wait for an end that may never come. */
function eventJson(event: RecordEvent | LostEvent): string {
  return jsonText(false, (json) => {
    json.startObject();
    json.member("event", event.type);
    if (event.type === "record") {
      json.member("sequence", event.sequence);
      if (event.timeNs !== undefined) json.member("time_ns", event.timeNs);
    } else {
      json.member("reason", lossName(event));
      json.member("count", event.count);
    }
    if (event.cpu !== undefined) json.member("cpu", event.cpu);
    if (event.type === "record") {
      json.name("data");
      json.bytes(event.data);
    }
    json.endObject();
  });
}

export const recordsVerb: Verb<ReadOptions> = {
  name: "records",
  usage: "MAP",
  summary: "print the records of a ring buffer as they come",
  details:
    `${EXCLUSIVE} It goes on until interrupted, and keeps the map alive meanwhile. A line ` +
    "that begins with # has a record's number, counted from where the daemon began to read. " +
    "Perf event arrays have records too; event_pipe prints them as bpftool does.",
  examples: [
    ["map records name events", "until interrupted, what waits in the ring first"],
    ["-j map records id 5 --from-now --count 1", "the next record: one JSON object a line"],
  ],
  addOptions: addReadOptions,
  complete: onlyMap,
  run,
};
