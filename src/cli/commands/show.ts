import type { Map as BpfMap } from "@bpfmapd/client/proto";
import { completeMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { JsonWriter } from "../format/json-writer.js";
import { writeMap } from "../format/map-json.js";
import { mapTable } from "../format/map-table.js";
import { mapText } from "../format/map-text.js";
import { takeMap } from "../grammar/map-arg.js";
import { parseMapType } from "../grammar/map-type.js";
import type { Words } from "../grammar/words.js";
import { getMaps, listMaps } from "../maps.js";
import type { Verb } from "../verb.js";

interface ShowOptions {
  readonly pids?: boolean;
  readonly programs?: boolean;
  readonly glob?: string;
  readonly type?: readonly string[];
  readonly held?: boolean;
  readonly pinned?: boolean;
}

async function run(context: CliContext, words: Words, options: ShowOptions): Promise<undefined> {
  if (words.done) return showAll(context, options);
  const map = takeMap(words);
  words.expectEnd();
  await showNamed(context, await getMaps(context, map, detailOf(context, options)));
}

function detailOf(context: CliContext, options: ShowOptions) {
  return {
    pins: context.options.bpffs ?? false,
    holders: options.pids ?? false,
    programs: options.programs ?? false,
  };
}

async function showNamed(context: CliContext, maps: readonly BpfMap[]): Promise<void> {
  const pins = context.options.bpffs ?? false;
  if (context.tables) {
    await context.out.write(mapTable(maps, context.style));
  } else if (!context.json) {
    await context.out.write(maps.map(mapText).join(""));
  } else {
    await context.printJson((json) => {
      // As bpftool: one map is an object, several of one name are an array.
      if (maps.length > 1) json.startArray();
      for (const map of maps) writeMap(json, map, pins);
      if (maps.length > 1) json.endArray();
    });
  }
}

async function showAll(context: CliContext, options: ShowOptions): Promise<undefined> {
  const maps = listMaps(context, {
    detail: detailOf(context, options),
    filter: {
      nameGlob: options.glob ?? "",
      types: (options.type ?? []).map(parseMapType),
      ...(options.held === undefined ? {} : { held: options.held }),
      ...(options.pinned === undefined ? {} : { pinned: options.pinned }),
    },
  });
  if (context.json) return writeAllJson(context, maps);
  if (context.tables) {
    const all: BpfMap[] = [];
    for await (const map of maps) all.push(map);
    if (all.length === 0) context.note("no maps");
    else await context.out.write(mapTable(all, context.style));
    return;
  }
  for await (const map of maps) await context.out.write(mapText(map));
}

async function writeAllJson(context: CliContext, maps: AsyncIterable<BpfMap>): Promise<undefined> {
  let text = "";
  const json = new JsonWriter((part) => {
    text += part;
  }, context.pretty);
  json.startArray();
  for await (const map of maps) {
    writeMap(json, map, context.options.bpffs ?? false);
    await context.out.write(text);
    text = "";
  }
  json.endArray();
  json.finish();
  await context.out.write(text);
}

export const show: Verb<ShowOptions> = {
  name: "show",
  usage: "[MAP]",
  summary: "list the maps of the host, or tell about one",
  details: "A name that several maps share shows all of them.",
  examples: [
    ["map show", "all maps"],
    ["map show id 5", "one map"],
    ["-j map show | jq '.[].name'", "for programs"],
    ["-f map show --held", "held maps, with their pins"],
    ["map show --type hash lru_hash --glob 'cilium_*'", "some of them"],
  ],
  addOptions: (command) =>
    command
      .option("--pids", "show the processes that have each map open")
      .option("--programs", "show the programs that use each map")
      .option("--glob <pattern>", "only maps whose name matches, such as 'cilium_*'")
      .option("--type <types...>", "only maps of these types")
      .option("--held", "only maps that the daemon holds")
      .option("--pinned", "only maps that are pinned"),
  complete: completeMap,
  run,
};

export const list: Verb<ShowOptions> = { ...show, name: "list", summary: "the same as show" };
