import { readFileSync } from "node:fs";
import { IfExists, type MapSpecSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Command, Option } from "commander";
import { CliError } from "../cli-error.js";
import { anyOrder, FILES, NOTHING, oneOf } from "../completion/candidates.js";
import { completeMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { type CreateArgs, takeCreate } from "../grammar/create-args.js";
import { parseDuration } from "../grammar/duration.js";
import { MAP_TYPE_NAMES } from "../grammar/map-type.js";
import { parseU32, parseU64, parseUnsigned } from "../grammar/number.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";
import { holdSpec } from "./hold.js";

/** How a map that is made is kept alive. */
export interface KeepOptions {
  readonly hold?: string;
  /** Milliseconds. */
  readonly lease?: number;
  readonly parents?: boolean;
}

interface CreateOptions extends KeepOptions {
  readonly ifExists?: "error" | "reuse";
  readonly mapExtra?: bigint;
  readonly numaNode?: number;
}

/** Adds the options of {@link KeepOptions}. */
export function addKeepOptions(command: Command): void {
  command
    .option("--hold <name>", "let the daemon hold the map under this name")
    .option("--lease <duration>", "end the hold after this time, such as 30s", parseDuration)
    .option("--parents", "make missing directories of FILE");
}

/**
 * Takes FILE, which may be left out with --hold: then a first word without a slash is
 * a keyword already.
 */
export function takePinPath(
  context: CliContext,
  words: Words,
  options: KeepOptions,
): string | undefined {
  if (options.lease !== undefined && options.hold === undefined) {
    throw new CliError("--lease is for a hold: give --hold NAME too");
  }
  if (options.hold !== undefined && !words.peek()?.includes("/")) return undefined;
  return context.hostPath(words.next("the path to pin the map at (or --hold NAME)"));
}

/** The part of a CreateMap request that keeps the new map alive. */
export function keepRequest(pinPath: string | undefined, options: KeepOptions) {
  return {
    pinPath: pinPath ?? "",
    createParents: options.parents ?? false,
    ...(options.hold === undefined ? {} : { hold: holdSpec(options.hold, options.lease) }),
  };
}

async function run(context: CliContext, words: Words, options: CreateOptions): Promise<undefined> {
  const pinPath = takePinPath(context, words, options);
  const args = takeCreate(words);
  await context.client.maps.createMap(
    {
      spec: specOf(context, args, options),
      ifExists: options.ifExists === "reuse" ? IfExists.REUSE_COMPATIBLE : IfExists.ERROR,
      ...keepRequest(pinPath, options),
    },
    context.call,
  );
  await context.printDone();
}

function specOf(
  context: CliContext,
  args: CreateArgs,
  options: CreateOptions,
): MessageInitShape<typeof MapSpecSchema> {
  return {
    type: args.type,
    name: args.name,
    keySize: args.keySize,
    valueSize: args.valueSize,
    maxEntries: args.maxEntries,
    flags: args.flags,
    mapExtra: options.mapExtra ?? 0n,
    numaNode: options.numaNode ?? 0,
    ifindex: args.device === undefined ? 0 : interfaceIndex(context, args.device),
    ...(args.innerMap === undefined ? {} : { innerMap: context.mapRef(args.innerMap) }),
  };
}

/** The index of a network device. Names are of the daemon's host, which must be this one then. */
function interfaceIndex(context: CliContext, device: string): number {
  const index = parseUnsigned(device);
  if (index !== undefined) return index;
  if (!context.isLocal) {
    throw new CliError(
      `the daemon is on another host: give the index of "${device}" there instead of its name`,
    );
  }
  if (!/^[^/\s]{1,15}$/.test(device) || device === "." || device === "..") {
    throw new CliError(`"${device}" is no name of a network device`);
  }
  try {
    return Number(readFileSync(`/sys/class/net/${device}/ifindex`, "utf8"));
  } catch {
    throw new CliError(`there is no network device "${device}"`);
  }
}

export const create: Verb<CreateOptions> = {
  name: "create",
  usage:
    "FILE type TYPE key KEY_SIZE value VALUE_SIZE entries MAX_ENTRIES name NAME " +
    "[flags FLAGS] [inner_map MAP] [offload_dev NAME]",
  summary: "create a map and pin it at a path on a bpffs of the host",
  details:
    "With --hold the daemon keeps the map, and FILE may be left out.\n" +
    `TYPE := { ${MAP_TYPE_NAMES.join(" | ")} }`,
  examples: [
    [
      "map create /sys/fs/bpf/stats type hash key 4 value 8 entries 1024 name stats",
      "a pinned hash map",
    ],
    [
      "map create --hold jobs --lease 1h type queue key 0 value 16 entries 64 name jobs",
      "held for an hour, no pin",
    ],
    [
      "map create /sys/fs/bpf/routes type lpm_trie key 8 value 4 entries 100 name routes flags 1",
      "flags 1 is BPF_F_NO_PREALLOC, which an lpm_trie needs",
    ],
  ],
  addOptions: (command) => {
    addKeepOptions(command);
    command
      .addOption(
        new Option("--if-exists <what>", "where FILE or the hold is there already")
          .choices(["error", "reuse"])
          .default("error"),
      )
      .option(
        "--map-extra <number>",
        "type-specific number, such as a bloom filter's hashes",
        (text) => parseU64(text, "--map-extra"),
      )
      .option("--numa-node <number>", "memory of this node; with flag 4", (text) =>
        parseU32(text, "--numa-node"),
      );
  },
  complete: (words, context) => {
    if (words.length === 0) return FILES;
    return anyOrder({
      type: () => oneOf(...MAP_TYPE_NAMES),
      key: () => NOTHING,
      value: () => NOTHING,
      entries: () => NOTHING,
      name: () => NOTHING,
      flags: () => NOTHING,
      inner_map: completeMap,
      offload_dev: () => NOTHING,
    })(words.slice(1), context);
  },
  run,
};
