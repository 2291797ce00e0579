import { stat } from "node:fs/promises";
import type { Map as BpfMap } from "@bpfmapd/client/proto";
import { CliError, messageOf } from "../cli-error.js";
import { FILES, NOTHING } from "../completion/candidates.js";
import { afterMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { parseElements, readBlocks, withFile } from "../files/element-file.js";
import { elementTarget } from "../files/element-target.js";
import { isExportFile } from "../files/export-reader.js";
import { type MapArg, takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import { type LoadOptions, loadChunks, printLoaded } from "../load-stream.js";
import { getMap } from "../maps.js";
import type { Verb } from "../verb.js";
import { importInto } from "./import.js";
import { addLoadOptions } from "./load-options.js";

async function run(context: CliContext, words: Words, options: LoadOptions): Promise<undefined> {
  const arg = takeMap(words);
  const path = words.done ? "-" : words.next("FILE");
  words.expectEnd();
  if (path === "-" && context.stdin.isTTY) {
    throw new CliError("give a FILE, or elements on standard input");
  }
  const size = await fileSize(path);
  if (size !== undefined && (await withFile(path, isExportFile))) {
    return importInto(context, path, arg, options);
  }
  const map = await getMap(context, arg);
  await loadText(context, { path, size }, arg, map, options);
}

/** Bytes of a file; undefined for standard input, pipes and devices, which can be read only once. */
async function fileSize(path: string): Promise<number | undefined> {
  if (path === "-") return undefined;
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    throw new CliError(`cannot read ${path}: ${messageOf(error)}`);
  }
}

/** Text and JSON have no checksum, so they are written while they are read. */
async function loadText(
  context: CliContext,
  { path, size }: { path: string; size: number | undefined },
  arg: MapArg,
  map: BpfMap,
  options: LoadOptions,
): Promise<void> {
  const progress = context.progress({
    label: "loading",
    ...(size === undefined ? {} : { total: size, unit: "bytes" }),
  });
  try {
    const blocks = readBlocks(path, context.stdin, (count) => {
      if (size !== undefined) progress.add(count);
    });
    const chunks = namedIn(path, parseElements(blocks, elementTarget(map)));
    const answer = await loadChunks(context, context.mapRef(arg), options, chunks, (count) => {
      if (size === undefined) progress.add(count);
    });
    progress.stop();
    await printLoaded(context, answer, options.dryRun ?? false);
  } finally {
    progress.stop();
  }
}

/** Says in errors which file is at fault. */
async function* namedIn<T>(path: string, items: AsyncIterable<T>): AsyncGenerator<T, void> {
  try {
    yield* items;
  } catch (error) {
    const name = path === "-" ? "standard input" : path;
    throw error instanceof CliError ? new CliError(`${name}: ${error.message}`) : error;
  }
}

export const load: Verb<LoadOptions> = {
  name: "load",
  usage: "MAP [FILE | -]",
  summary: "write the elements of a file into a map",
  details: `FILE may be
  - the JSON of \`-j map dump\`, of bpfmapctl or bpftool;
  - the text of \`map dump\`, or lines such as "key 1 0 0 0 value hex 0a 0b";
  - a file of \`map export\`, which is checked whole before anything is written.
Text and JSON are written while they are read: an error in FILE leaves what stands before it written, and removes nothing. A value of a per-CPU map without CPU is written for every CPU.`,
  examples: [
    ["map load name stats stats.json", "add and change elements"],
    ["map load name stats stats.json --replace --dry-run", "what would a replacement do?"],
    ["-j map dump id 5 | bpfmapctl map load id 6", "copy a map into another"],
  ],
  addOptions: addLoadOptions,
  complete: afterMap((words) => (words.length === 0 ? FILES : NOTHING)),
  run,
};
