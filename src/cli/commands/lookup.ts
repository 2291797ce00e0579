import { BpfmapError } from "@bpfmapd/client";
import { type Map as BpfMap, type Elements, Format, MapType } from "@bpfmapd/client/proto";
import { anyOrder, NOTHING } from "../completion/candidates.js";
import { afterMap, onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { parseCpu } from "../cpu-option.js";
import { writeElement, writeNotFound } from "../element-output.js";
import { ExitCode } from "../exit-code.js";
import type { Data } from "../grammar/data.js";
import {
  isObject,
  type KeyArg,
  keyColumn,
  takeAnyKey,
  takeKey,
  takeValue,
} from "../grammar/element-args.js";
import { type MapArg, takeMap } from "../grammar/map-arg.js";
import { isQueue } from "../grammar/map-type.js";
import type { Words } from "../grammar/words.js";
import { getMap } from "../maps.js";
import { typedFormat, typedValues } from "../typed-values.js";
import { addTypingOptions, isTyped, type TypingOptions, typingOf } from "../typing-options.js";
import type { Verb } from "../verb.js";

interface LookupOptions extends TypingOptions {
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
    return peekElement(context, words, arg, map, options);
  }
  const key = takeAnyKey(words, map);
  const typed = await typedValues(context, map, options);
  const found = await lookup(context, arg, map, key, options);
  if (found === undefined) {
    await writeNotFound(context, isObject(key) ? NO_KEY : key);
    return ExitCode.NOT_FOUND;
  }
  // An object has no bytes that would mean anything outside the call.
  const bytes = key instanceof Uint8Array ? key : found.keys;
  const shown = isObject(key) ? { ...map, keySize: 0 } : map;
  await writeElement(context, shown, {
    key: bytes,
    value: found.values,
    object: found.objectValues[0],
    singleValue: options.cpu !== undefined,
    typed: typed && {
      values: typed,
      jsonKey: found.jsonKeys[0] ?? "",
      jsonValue: found.jsonValues[0] ?? "",
    },
  });
  return undefined;
}

const NO_KEY = new Uint8Array(0);

async function lookup(
  context: CliContext,
  arg: MapArg,
  map: BpfMap,
  key: KeyArg,
  options: LookupOptions,
): Promise<Elements | undefined> {
  const { cpu } = options;
  try {
    const { elements } = await context.client.maps.lookupElements(
      {
        map: context.mapRef(arg),
        ...keyColumn(key),
        count: 1,
        ...(cpu === undefined ? {} : { cpuView: { view: { case: "cpu", value: cpu } } }),
        ...requestFormat(map, key, options),
      },
      context.call,
    );
    return elements;
  } catch (error) {
    if (isMissingElement(error)) return undefined;
    throw error;
  }
}

/** A key that is given as JSON needs its bytes told, to be printed with --hex. */
function requestFormat(map: BpfMap, key: KeyArg, options: LookupOptions) {
  const typing = typingOf(options);
  const isJsonKey = !(key instanceof Uint8Array) && !isObject(key);
  if (isTyped(map, options) || isJsonKey) {
    return { format: Format.BYTES_AND_JSON, ...(typing && { typing }) };
  }
  return {};
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
  options: TypingOptions,
): Promise<ExitCode | undefined> {
  const asked = map.type === MapType.BLOOM_FILTER ? takeValue(words, map) : undefined;
  takeKey(words, map); // there is none to take, and the error says so
  const typed = await typedValues(context, map, options);
  const { found, value, jsonValue } = await context.client.maps.peekElement(
    { map: context.mapRef(arg), ...askedField(asked), ...typedFormat(map, options) },
    context.call,
  );
  const key = new Uint8Array(0);
  if (!found) {
    await writeNotFound(context, key);
    return ExitCode.NOT_FOUND;
  }
  if (asked && !(asked instanceof Uint8Array)) {
    await context.out.write(`${asked.json}\n`);
    return undefined;
  }
  await writeElement(context, map, {
    key,
    value: asked ?? value,
    typed: asked || !typed ? undefined : { values: typed, jsonKey: "", jsonValue },
  });
  return undefined;
}

function askedField(asked: Data | undefined) {
  if (asked === undefined) return {};
  return asked instanceof Uint8Array ? { value: asked } : { jsonValue: asked.json };
}

export const lookupVerb: Verb<LookupOptions> = {
  name: "lookup",
  usage: "MAP [key KEY]",
  summary: "print the element with this key",
  details:
    "Exit code 2 where there is none. In an lpm_trie the element with the longest prefix that " +
    "covers the key is found.",
  examples: [
    ["map lookup id 5 key 1 0 0 0", "bytes in decimal"],
    ["map lookup pinned /sys/fs/bpf/stats key hex 0a 00 00 01", "bytes in hexadecimal"],
    [`map lookup name flows key '{"saddr": 1}'`, "by the types of the map"],
    ["-j map lookup name stats key 0 0 0 0 --cpu 1", "one CPU's value of a per-CPU map"],
  ],
  addOptions: (command) =>
    addTypingOptions(command).option(
      "--cpu <number>",
      "of a per-CPU map, only this CPU's value",
      parseCpu,
    ),
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
  addOptions: addTypingOptions,
  complete: onlyMap,
  run,
};
