import { type Map as BpfMap, MapType, UpdateMode } from "@bpfmapd/client/proto";
import type { Command } from "commander";
import { CliError } from "../cli-error.js";
import { anyOrder, NOTHING, oneOf } from "../completion/candidates.js";
import { afterMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { parseCpu } from "../cpu-option.js";
import { valueFields } from "../grammar/data.js";
import {
  isObject,
  keyColumn,
  takeUpdate,
  type UpdateArgs,
  type UpdateFlag,
  valueColumn,
} from "../grammar/element-args.js";
import { type MapArg, takeMap } from "../grammar/map-arg.js";
import { isPerCpu, isQueue } from "../grammar/map-type.js";
import type { Words } from "../grammar/words.js";
import { getMap, nameOf } from "../maps.js";
import { addTypingOptions, type TypingOptions, typingOf } from "../typing-options.js";
import type { Verb } from "../verb.js";

interface UpdateOptions extends TypingOptions {
  readonly cpu?: number;
}

const MODES: Readonly<Record<UpdateFlag, UpdateMode>> = {
  any: UpdateMode.ANY,
  noexist: UpdateMode.NOEXIST,
  exist: UpdateMode.EXIST,
};

async function run(context: CliContext, words: Words, options: UpdateOptions): Promise<undefined> {
  const arg = takeMap(words);
  const map = await getMap(context, arg);
  const args = takeUpdate(words, map, context);
  if (isQueue(map.type) || map.type === MapType.BLOOM_FILTER) {
    await pushElement(context, arg, map, args, options);
  } else {
    await updateElement(context, arg, map, args, options);
  }
  await context.printDone();
}

async function updateElement(
  context: CliContext,
  arg: MapArg,
  map: BpfMap,
  { key, value, flag }: UpdateArgs,
  options: UpdateOptions,
): Promise<void> {
  const typing = typingOf(options);
  await context.client.maps.updateElements(
    {
      map: context.mapRef(arg),
      elements: { count: 1, ...keyColumn(key), ...valueColumn(value) },
      mode: MODES[flag],
      ...cpuTarget(map, options.cpu),
      ...(typing && { typing }),
    },
    context.call,
  );
}

/** As bpftool, one value is written to every CPU's slot, unless one CPU is named. */
function cpuTarget(map: BpfMap, cpu: number | undefined) {
  if (cpu !== undefined) return { cpuTarget: { target: { case: "cpu" as const, value: cpu } } };
  if (!isPerCpu(map.type)) return {};
  return { cpuTarget: { target: { case: "allCpus" as const, value: true } } };
}

/** An update of a map without keys is a push; the kernel's BPF_EXIST drops the oldest value. */
async function pushElement(
  context: CliContext,
  arg: MapArg,
  map: BpfMap,
  { value, flag }: UpdateArgs,
  options: TypingOptions,
): Promise<void> {
  const typing = typingOf(options);
  if (flag === "noexist") {
    throw new CliError(`${nameOf(map)} has no keys, so "noexist" has no meaning for it`);
  }
  if (isObject(value)) throw new CliError(`the values of ${nameOf(map)} are bytes`);
  await context.client.maps.pushElements(
    {
      map: context.mapRef(arg),
      ...valueFields(value),
      count: 1,
      overwriteOldest: flag === "exist",
      ...(typing && { typing }),
    },
    context.call,
  );
}

const FLAGS = ["any", "exist", "noexist"];

export const update: Verb<UpdateOptions> = {
  name: "update",
  usage: "MAP [key KEY] [value VALUE] [any | exist | noexist]",
  summary: "add an element or change its value",
  details:
    "Values that are kernel objects are named by what they are: a program or an inner map as " +
    "`id N` or `pinned FILE` (as in bpftool), `interface NAME [program PROG]`, " +
    "`queue SIZE [program PROG]` of a cpumap, `cgroup PATH`, `socket PID FD`, " +
    "`event { cpu CPU | PID FD }`; keys likewise: `task PID`, `path PATH`, `cgroup PATH`, " +
    "`socket PID FD`.\n" +
    "exist only changes, noexist only adds. Of a per-CPU map, VALUE is one CPU's value and is " +
    "written for all of them, or for the one that --cpu names. JSON is written by the map's " +
    "types; members that it leaves out become zero. A number or a bool stands after json.",
  examples: [
    ["map update id 5 key 1 0 0 0 value 0x0a 0 0 0 0 0 0 0", "add or change"],
    ["map update name stats key hex c1 c2 value hex a1 a2 noexist", "only add"],
    ["map update name hits key 0 0 0 0 value 0 0 0 0 --cpu 1", "one CPU's slot"],
    [`map update name flows key json 5 value '{"packets": 1}'`, "by the types of the map"],
    ["map update name jumps key 0 0 0 0 value pinned /sys/fs/bpf/prog", "a program"],
    ["map update name ports key 1 0 0 0 value interface eth0", "an interface"],
    ["map update name seen key task 4711 value 1 0 0 0", "of a process"],
  ],
  addOptions: (command) =>
    addTypingOptions(command, false).option(
      "--cpu <number>",
      "of a per-CPU map, only this CPU's value",
      parseCpu,
    ),
  complete: afterMap((words, context) => {
    if (words.includes("key") && words.includes("value") && words.at(-1) !== "value") {
      return oneOf(...FLAGS);
    }
    return anyOrder({ key: () => NOTHING, value: () => NOTHING })(words, context);
  }),
  run,
};

const pushBase = {
  usage: "MAP value VALUE [any | exist]",
  details: "Fails where the map is full; exist drops the oldest value instead.",
  addOptions: (command: Command) => addTypingOptions(command, false),
  complete: afterMap(anyOrder({ value: () => NOTHING })),
  run,
};

export const push: Verb<UpdateOptions> = {
  ...pushBase,
  name: "push",
  summary: "add a value to a stack, queue or bloom filter",
  examples: [["map push name jobs value 1 2 3 4", "add a value"]],
};

export const enqueue: Verb<UpdateOptions> = {
  ...pushBase,
  name: "enqueue",
  summary: "add a value to a queue: the same as push",
  examples: [["map enqueue name jobs value hex 0a 0b 0c 0d", "add a value"]],
};
