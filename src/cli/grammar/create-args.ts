import type { MapType } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";
import { type MapArg, takeMap } from "./map-arg.js";
import { parseMapType } from "./map-type.js";
import { parseU32 } from "./number.js";
import type { Words } from "./words.js";

/** What `map create` is told after FILE. */
export interface CreateArgs {
  readonly type: MapType;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly innerMap: MapArg | undefined;
  /** Name or index of the network device to offload to. */
  readonly device: string | undefined;
}

const NUMBERS = ["key", "value", "entries", "flags"] as const;

/**
 * Takes type TYPE key KEY_SIZE value VALUE_SIZE entries MAX_ENTRIES name NAME
 * [flags FLAGS] [inner_map MAP] [offload_dev NAME | dev NAME] in any order. As in
 * bpftool, type and name must be there, and sizes that are not given are 0.
 */
export function takeCreate(words: Words): CreateArgs {
  const numbers = new Map<string, number>();
  let type: MapType | undefined;
  let name: string | undefined;
  let innerMap: MapArg | undefined;
  let device: string | undefined;

  while (!words.done) {
    if (words.take("type")) {
      once("map type", type);
      type = parseMapType(words.next("the map type after 'type'"));
    } else if (words.take("name")) {
      once("map name", name);
      name = words.next("the map's name after 'name'");
    } else if (words.take("inner_map")) {
      once("inner map", innerMap);
      innerMap = takeMap(words);
    } else if (words.take("dev") || words.take("offload_dev")) {
      once("device", device);
      device = words.next("the network device's name");
    } else {
      takeNumber(words, numbers);
    }
  }
  if (type === undefined) throw new CliError("map type not specified");
  if (name === undefined) throw new CliError("map name not specified");
  return {
    type,
    name,
    keySize: numbers.get("key") ?? 0,
    valueSize: numbers.get("value") ?? 0,
    maxEntries: numbers.get("entries") ?? 0,
    flags: numbers.get("flags") ?? 0,
    innerMap,
    device,
  };
}

function takeNumber(words: Words, numbers: Map<string, number>): void {
  const keyword = NUMBERS.find((candidate) => words.take(candidate));
  if (keyword === undefined) throw new CliError(`unknown arg ${words.peek()}`);
  once(keyword, numbers.get(keyword));
  numbers.set(keyword, parseU32(words.next(`the number after '${keyword}'`), keyword));
}

function once(what: string, given: unknown): void {
  if (given !== undefined) throw new CliError(`${what} already specified`);
}
