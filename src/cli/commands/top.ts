import type { BpfmapError } from "@bpfmapd/client";
import { ByteOrder } from "@bpfmapd/client/proto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { parseDuration } from "../grammar/duration.js";
import { takeMap } from "../grammar/map-arg.js";
import { parseU32 } from "../grammar/number.js";
import type { Words } from "../grammar/words.js";
import { getMap } from "../maps.js";
import { type CounterField, counterReader, fieldOf, parseField } from "../top/counter-field.js";
import { RateTable } from "../top/rate-table.js";
import { TopView } from "../top/top-view.js";
import type { Verb } from "../verb.js";
import { watchMap } from "../watch-map.js";

const DEFAULT_INTERVAL_MS = 1000;
/** The shortest interval of bookmarks. */
const MIN_INTERVAL_MS = 100;

interface TopOptions {
  readonly interval?: number;
  readonly field?: CounterField;
  readonly iterations?: number;
  readonly once?: boolean;
  readonly limit?: number;
}

async function run(context: CliContext, words: Words, options: TopOptions): Promise<undefined> {
  const arg = takeMap(words);
  words.expectEnd();
  const map = await getMap(context, arg);
  const field = fieldOf(map, options.field);
  const { host } = await context.client.host.getHost({}, context.call);
  const read = counterReader(map, field, host?.byteOrder !== ByteOrder.BIG_ENDIAN);
  const iterations = options.once ? 1 : (options.iterations ?? Number.POSITIVE_INFINITY);
  const intervalMs = Math.max(MIN_INTERVAL_MS, options.interval ?? DEFAULT_INTERVAL_MS);
  const view = new TopView(context, options.limit, context.tables && !options.once);
  const table = new RateTable(field.size * 8);
  let measuredAt: number | undefined;
  let shown = 0;
  let goneId: number | undefined;
  try {
    const watching = {
      pollIntervalMs: intervalMs,
      bookmarkIntervalMs: intervalMs,
      // Where the terminal is gone, the next measurement meets that too.
      onLost: ({ message }: BpfmapError) =>
        void view.lose(`${message}: trying again`).catch(() => {}),
    };
    for await (const event of watchMap(context, { by: "id", id: map.id }, watching)) {
      if (event.type === "put") table.set(event.key, read(event.value), event.initial);
      else if (event.type === "delete") table.delete(event.key);
      else if (event.type === "gone") goneId = event.id;
      else if (event.type === "resync") {
        table.clear();
        measuredAt = undefined;
      }
      if (event.type !== "bookmark" && event.type !== "synced") continue;
      const seenAt = timestampMs(event.bookmark.scanFinished!);
      // Bookmarks come sooner after changes.
      const elapsedMs = seenAt - (measuredAt ?? Number.NEGATIVE_INFINITY);
      if (elapsedMs < intervalMs * 0.9) continue;
      measuredAt = seenAt;
      const rates = table.measure(seenAt);
      if (!rates) continue;
      await view.show({ map, rates, elements: table.size, at: new Date(seenAt), elapsedMs });
      if (++shown >= iterations) return;
    }
  } finally {
    await view.close();
  }
  // Not before: it would be gone with the screen.
  if (goneId !== undefined) context.note(`-- map id ${goneId} is gone`);
}

function addOptions(command: Command): void {
  command
    .option("--interval <duration>", "time between measurements, from 100ms; 1s", parseDuration)
    .option(
      "--field <offset/size>",
      "where in the value the counter stands; the first u64, or u32 where values are shorter",
      parseField,
    )
    .option("--iterations <number>", "stop after this many measurements", (text) =>
      parseU32(text, "--iterations"),
    )
    .option("--once", "measure once and print it")
    .option("--limit <number>", "show this many elements", (text) => parseU32(text, "--limit"));
}

export const top: Verb<TopOptions> = {
  name: "top",
  usage: "MAP",
  summary: "show the fastest-changing counters live",
  details:
    "Values are taken for unsigned counters; those of per-CPU maps are added up over the CPUs. " +
    "The rates are what came between two scans of the map. Ctrl-C ends it.",
  examples: [
    ["map top name packets", "in place on a terminal, until interrupted"],
    ["map top id 5 --field 8/8 --interval 5s", "the second u64 of the values"],
    ["map top id 5 --once --limit 5", "one table"],
    ["-j map top id 5 --iterations 10", "for programs: one JSON object a measurement"],
  ],
  addOptions,
  complete: onlyMap,
  run,
};
