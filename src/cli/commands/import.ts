import type { FileHandle } from "node:fs/promises";
import { type Map as BpfMap, ByteOrder } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";
import { anyOrder, FILES, NOTHING, oneOf } from "../completion/candidates.js";
import { completeMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import type { Chunk } from "../files/chunk-builder.js";
import { withFile } from "../files/element-file.js";
import { type CheckedExport, checkExport, readExport } from "../files/export-reader.js";
import { type SpecChanges, specOf } from "../files/export-spec.js";
import { importedChunks } from "../files/object-translation.js";
import { type MapArg, takeMap } from "../grammar/map-arg.js";
import { mapTypeName } from "../grammar/map-type.js";
import { parseU32 } from "../grammar/number.js";
import type { Words } from "../grammar/words.js";
import { type LoadOptions, loadChunks, printLoaded } from "../load-stream.js";
import { getMap, nameOf } from "../maps.js";
import type { Verb } from "../verb.js";
import { addKeepOptions, type KeepOptions, keepRequest, takePinPath } from "./create.js";
import { addLoadOptions } from "./load-options.js";

interface ImportOptions extends LoadOptions, KeepOptions {
  readonly allowIncomplete?: boolean;
}

async function run(context: CliContext, words: Words, options: ImportOptions): Promise<undefined> {
  const path = words.next("FILE");
  if (path === "-") {
    throw new CliError("an import is read twice, first to check it: give a FILE, not a pipe");
  }
  if (words.take("into")) {
    const arg = takeMap(words);
    words.expectEnd();
    return importInto(context, path, arg, options);
  }
  if (words.take("create")) return importCreate(context, path, words, options);
  words.expectEnd();
  throw new CliError("say where to: `into MAP`, or `create` with a pin's path or --hold NAME");
}

/** Imports into a map that is there. */
export async function importInto(
  context: CliContext,
  path: string,
  arg: MapArg,
  options: ImportOptions,
): Promise<undefined> {
  await withFile(path, async (file) => {
    const checked = await checkFile(context, file, options);
    const map = await getMap(context, arg);
    refuseOtherSpec(checked.map, map);
    await writeElements(context, file, checked, arg, options);
  });
}

/** Makes a map as the exported one was, and fills it. Where that fails, no map is left. */
async function importCreate(
  context: CliContext,
  path: string,
  words: Words,
  options: ImportOptions,
): Promise<undefined> {
  if (options.replace || options.dryRun) {
    throw new CliError("--replace and --dry-run are for `into MAP`: a new map is empty");
  }
  const pinPath = takePinPath(context, words, options);
  const changes = takeChanges(words);
  await withFile(path, async (file) => {
    const checked = await checkFile(context, file, options);
    await context.client.maps.createMap(
      { spec: specOf(checked.map, changes), ...keepRequest(pinPath, options) },
      context.call,
    );
    const arg: MapArg =
      pinPath === undefined ? { by: "held", held: options.hold! } : { by: "pinned", path: pinPath };
    try {
      await writeElements(context, file, checked, arg, options);
    } catch (error) {
      await dropMap(context, pinPath, options);
      throw error;
    }
  });
}

/** Takes [name NAME] [entries MAX_ENTRIES]: what the new map shall have otherwise. */
function takeChanges(words: Words): SpecChanges {
  const changes: SpecChanges = {};
  while (!words.done) {
    if (words.take("name")) changes.name = words.next("the map's name after 'name'");
    else if (words.take("entries")) {
      changes.entries = parseU32(words.next("the number after 'entries'"), "entries");
    } else throw new CliError(`unknown arg ${words.peek()}`);
  }
  return changes;
}

/** The first pass over the file: everything that can be wrong with it, before the map is touched. */
async function checkFile(
  context: CliContext,
  file: FileHandle,
  options: ImportOptions,
): Promise<CheckedExport> {
  const checked = await checkExport(file);
  if (!checked.trailer.complete && !options.allowIncomplete) {
    throw new CliError(
      "the map changed too fast to be exported completely; --allow-incomplete imports it all the same",
    );
  }
  const { host } = await context.client.host.getHost({}, context.call);
  const little = host!.byteOrder === ByteOrder.LITTLE_ENDIAN;
  if (little !== checked.header.littleEndian) {
    const name = (isLittle: boolean) => (isLittle ? "little-endian" : "big-endian");
    throw new CliError(
      `its numbers are ${name(checked.header.littleEndian)}, those of the host are ${name(little)}`,
    );
  }
  if (checked.map.cpus.length > 0 && !sameCpus(checked.map.cpus, host!.possibleCpus)) {
    throw new CliError(
      `its values are for ${checked.map.cpus.length} CPUs, the host has ${host!.possibleCpus.length} ` +
        "or numbers them otherwise",
    );
  }
  return checked;
}

function sameCpus(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((cpu, index) => cpu === right[index]);
}

/** A map takes an export of its own type and sizes only. */
function refuseOtherSpec(from: BpfMap, to: BpfMap): void {
  const differences: string[] = [];
  const compare = (what: string, was: string | number, is: string | number) => {
    if (was !== is) differences.push(`${what} was ${was}, is ${is}`);
  };
  compare("type", mapTypeName(from.type) ?? from.type, mapTypeName(to.type) ?? to.type);
  compare("key size", from.keySize, to.keySize);
  compare("value size", from.valueSize, to.valueSize);
  if (differences.length > 0) {
    throw new CliError(`it does not fit ${nameOf(to)}: ${differences.join(", ")}`);
  }
}

/** The second pass: the elements. */
async function writeElements(
  context: CliContext,
  file: FileHandle,
  checked: CheckedExport,
  arg: MapArg,
  options: ImportOptions,
): Promise<void> {
  const progress = context.progress({ label: "importing", total: Number(checked.trailer.count) });
  try {
    const answer = await loadChunks(
      context,
      context.mapRef(arg),
      options,
      elementChunks(context, file, checked),
      (count) => progress.add(count),
    );
    progress.stop();
    await printLoaded(context, answer, options.dryRun ?? false);
  } finally {
    progress.stop();
  }
}

/** The elements as they are written, where kernel objects are named and not numbered. */
async function* elementChunks(
  context: CliContext,
  file: FileHandle,
  checked: CheckedExport,
): AsyncGenerator<Chunk, void> {
  const { host } = await context.client.host.getHost({}, context.call);
  const sameBoot = host!.bootId === checked.map.bootId;
  for await (const elements of readExport(file, checked)) yield* importedChunks(elements, sameBoot);
}

/** Takes back what was made. The error that led here is the one to tell. */
async function dropMap(
  context: CliContext,
  pinPath: string | undefined,
  options: KeepOptions,
): Promise<void> {
  // The user's interruption, where that is why, must not end this as well.
  const { maps } = context.client;
  if (pinPath !== undefined) {
    await maps
      .unpinMap({ path: pinPath, removeEmptyParents: options.parents ?? false })
      .catch(() => context.note(`Warning: the new map is still pinned at ${pinPath}`));
  }
  if (options.hold !== undefined) {
    await maps
      .releaseMap({ name: options.hold })
      .catch(() => context.note(`Warning: the new map is still held as ${options.hold}`));
  }
}

export const importVerb: Verb<ImportOptions> = {
  name: "import",
  usage: "FILE { into MAP | create [PIN_FILE] [name NAME] [entries MAX_ENTRIES] }",
  summary: "read a file of `map export` into a map, or into a new one",
  details:
    "The whole file is checked before the map is touched: records, sizes, byte order, count and " +
    "checksum. `into` wants a map of the same type, key size and value size; `create` makes one, " +
    "pinned at PIN_FILE or held (--hold), and takes it back where it cannot be filled.",
  examples: [
    ["map import stats.bpfmap into name stats --replace", "restore a map"],
    ["map import stats.bpfmap create /sys/fs/bpf/stats2 name stats2", "make a copy"],
    ["map import stats.bpfmap create --hold stats2 --lease 1h", "held instead of pinned"],
  ],
  addOptions: (command) => {
    addLoadOptions(command);
    addKeepOptions(command);
    command.option("--allow-incomplete", "take an export that is not complete");
  },
  complete: (words, context) => {
    if (words.length === 0) return FILES;
    if (words.length === 1) return oneOf("into", "create");
    if (words[1] === "into") return completeMap(words.slice(2), context);
    if (words.length === 2) return { ...FILES, candidates: oneOf("name", "entries").candidates };
    return anyOrder({ name: () => NOTHING, entries: () => NOTHING })(words.slice(2), context);
  },
  run,
};
