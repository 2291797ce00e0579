import { BpfmapError } from "@bpfmapd/client";
import { type Map as BpfMap, MapType } from "@bpfmapd/client/proto";
import { anyOrder, NOTHING } from "../completion/candidates.js";
import { afterMap, onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { parseCpu } from "../cpu-option.js";
import { writeElement, writeNotFound } from "../element-output.js";
import { ExitCode } from "../exit-code.js";
import { takeKey, takeValue } from "../grammar/element-args.js";
import { type MapArg, takeMap } from "../grammar/map-arg.js";
import { isQueue } from "../grammar/map-type.js";
import type { Words } from "../grammar/words.js";
import { getMap } from "../maps.js";
import type { Verb } from "../verb.js";

interface LookupOptions {
  readonly cpu?: number;
}

async function run(
  context: CliContext,
  words: Words,
  options: LookupOptions,
): Promise<ExitCode | undefined> {
  const arg = takeMap(words);
  const map = await getMap(context, arg);
  if (isQueue(map.type) || map.type === MapType.BLOOM_FILTER) {
    return peekElement(context, words, arg, map);
  }
  const key = takeKey(words, map);
  const value = await lookup(context, arg, key, options.cpu);
  if (value === undefined) {
    await writeNotFound(context, key);
    return ExitCode.NOT_FOUND;
  }
  await writeElement(context, map, { key, value, singleValue: options.cpu !== undefined });
  return undefined;
}

async function lookup(
  context: CliContext,
  arg: MapArg,
  keys: Uint8Array,
  cpu: number | undefined,
): Promise<Uint8Array | undefined> {
  try {
    const { elements } = await context.client.maps.lookupElements(
      {
        map: context.mapRef(arg),
        keys,
        count: 1,
        ...(cpu === undefined ? {} : { cpuView: { view: { case: "cpu", value: cpu } } }),
      },
      context.call,
    );
    return elements?.values;
  } catch (error) {
    if (isMissingElement(error)) return undefined;
    throw error;
  }
}

/** bpftool answers an array index past the end as it answers a key that is not there. */
function isMissingElement(error: unknown): boolean {
  return (
    error instanceof BpfmapError &&
    (error.reason === "ELEMENT_NOT_FOUND" || error.reason === "KEY_OUT_OF_RANGE")
  );
}

/** The next value of a queue or stack, or whether a bloom filter may have a value. */
async function peekElement(
  context: CliContext,
  words: Words,
  arg: MapArg,
  map: BpfMap,
): Promise<ExitCode | undefined> {
  const asked = map.type === MapType.BLOOM_FILTER ? takeValue(words, map) : undefined;
  takeKey(words, map); // there is none to take, and the error says so
  const { found, value } = await context.client.maps.peekElement(
    { map: context.mapRef(arg), ...(asked === undefined ? {} : { value: asked }) },
    context.call,
  );
  const key = new Uint8Array(0);
  if (!found) {
    await writeNotFound(context, key);
    return ExitCode.NOT_FOUND;
  }
  await writeElement(context, map, { key, value: asked ?? value });
  return undefined;
}

export const lookupVerb: Verb<LookupOptions> = {
  name: "lookup",
  usage: "MAP [key DATA]",
  summary: "print the element with this key",
  details:
    "Exit code 2 where there is none. In an lpm_trie the element with the longest prefix that " +
    "covers the key is found.",
  examples: [
    ["map lookup id 5 key 1 0 0 0", "bytes in decimal"],
    ["map lookup pinned /sys/fs/bpf/stats key hex 0a 00 00 01", "bytes in hexadecimal"],
    ["-j map lookup name stats key 0 0 0 0 --cpu 1", "one CPU's value of a per-CPU map"],
  ],
  addOptions: (command) =>
    command.option("--cpu <number>", "of a per-CPU map, only this CPU's value", parseCpu),
  complete: afterMap(anyOrder({ key: () => NOTHING })),
  run,
};

export const peek: Verb<LookupOptions> = {
  name: "peek",
  usage: "MAP [value VALUE]",
  summary: "print the next value of a queue or stack without taking it",
  details: "Exit code 2 where there is none. For a bloom filter, tells whether it may have VALUE.",
  examples: [
    ["map peek name jobs", "what pop would take"],
    ["map peek name seen value 1 2 3 4", "ask a bloom filter"],
  ],
  complete: onlyMap,
  run,
};
