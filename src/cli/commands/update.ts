import { type Map as BpfMap, MapType, UpdateMode } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";
import { anyOrder, NOTHING, oneOf } from "../completion/candidates.js";
import { afterMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { parseCpu } from "../cpu-option.js";
import { takeUpdate, type UpdateArgs, type UpdateFlag } from "../grammar/element-args.js";
import { type MapArg, takeMap } from "../grammar/map-arg.js";
import { isPerCpu, isQueue } from "../grammar/map-type.js";
import type { Words } from "../grammar/words.js";
import { getMap, nameOf } from "../maps.js";
import type { Verb } from "../verb.js";

interface UpdateOptions {
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
  const args = takeUpdate(words, map);
  if (isQueue(map.type) || map.type === MapType.BLOOM_FILTER) {
    await pushElement(context, arg, map, args);
  } else {
    await updateElement(context, arg, map, args, options.cpu);
  }
  await context.printDone();
}

async function updateElement(
  context: CliContext,
  arg: MapArg,
  map: BpfMap,
  { key, value, flag }: UpdateArgs,
  cpu: number | undefined,
): Promise<void> {
  await context.client.maps.updateElements(
    {
      map: context.mapRef(arg),
      elements: { count: 1, keys: key, values: value },
      mode: MODES[flag],
      ...cpuTarget(map, cpu),
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
): Promise<void> {
  if (flag === "noexist") {
    throw new CliError(`${nameOf(map)} has no keys, so "noexist" has no meaning for it`);
  }
  await context.client.maps.pushElements(
    { map: context.mapRef(arg), values: value, count: 1, overwriteOldest: flag === "exist" },
    context.call,
  );
}

const FLAGS = ["any", "exist", "noexist"];

export const update: Verb<UpdateOptions> = {
  name: "update",
  usage: "MAP [key DATA] [value VALUE] [any | exist | noexist]",
  summary: "add an element or change its value",
  details:
    "exist only changes, noexist only adds. Of a per-CPU map, VALUE is one CPU's value and is " +
    "written for all of them, or for the one that --cpu names.",
  examples: [
    ["map update id 5 key 1 0 0 0 value 0x0a 0 0 0 0 0 0 0", "add or change"],
    ["map update name stats key hex c1 c2 value hex a1 a2 noexist", "only add"],
    ["map update name hits key 0 0 0 0 value 0 0 0 0 --cpu 1", "one CPU's slot"],
  ],
  addOptions: (command) =>
    command.option("--cpu <number>", "of a per-CPU map, only this CPU's value", parseCpu),
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
