import {
  CounterGateSchema,
  type RolloutPlan,
  RolloutPlan_OnFailure,
  RolloutPlanSchema,
} from "@bpfmapd/client/proto";
import { create, fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Command, Option } from "commander";
import { CliError, messageOf } from "../cli-error.js";
import { parseDuration } from "./duration.js";
import { parseU32 } from "./number.js";

type Plan = MessageInitShape<typeof RolloutPlanSchema>;
type Wave = NonNullable<Plan["waves"]>[number];
type Gate = NonNullable<Plan["counters"]>[number];

/** Options that say how a generation is rolled out. */
export interface PlanOptions {
  readonly wave?: readonly Wave[];
  readonly bake?: number;
  readonly maxInProgress?: number;
  readonly progressTimeout?: number;
  readonly maxFailures?: number;
  readonly maxUnreachable?: number;
  readonly maxDrifted?: number;
  readonly gate?: readonly Gate[];
  readonly onFailure?: "pause" | "roll-back";
}

/** The same, of a command that rolls out only where it is asked to. */
export interface RolloutOptions extends PlanOptions {
  readonly rollout?: boolean;
}

/** Adds them to a command. */
export function addRolloutOptions(command: Command): Command {
  return addPlanOptions(
    command.option("--rollout", "bring it to the hosts in waves; so do the options below"),
  );
}

/** The plan that options say; undefined where they say none. */
export function rolloutOf(options: RolloutOptions): RolloutPlan | undefined {
  const { rollout, wave, bake, maxInProgress, progressTimeout } = options;
  const { maxFailures, maxUnreachable, maxDrifted, gate, onFailure } = options;
  const bounds = [maxInProgress, progressTimeout, maxFailures, maxUnreachable, maxDrifted];
  const said = [rollout, wave, bake, gate, onFailure, ...bounds];
  return said.some((one) => one !== undefined) ? planOf(options) : undefined;
}

/** Adds those that say how. */
export function addPlanOptions(command: Command): Command {
  const gather =
    <T>(parse: (text: string) => T) =>
    (text: string, list: readonly T[] = []) => [...list, parse(text)];
  const count = (name: string) => (text: string) => parseU32(text, name);
  return command
    .option(
      "--wave <size[:bake]>",
      "hosts at the end of a wave: 1, 10%, 10%:5m; may be repeated\n(default: 1, 1%, 10%, 100%)",
      gather(parseWave),
    )
    .option("--bake <duration>", "how long each wave is looked at (default: 1m)", parseBake)
    .option("--max-in-progress <number>", "hosts at a time", count("--max-in-progress"))
    .option("--progress-timeout <duration>", "without a further host (default: 10m)", parseDuration)
    .option("--max-failures <number>", "hosts that may fail (default: 0)", count("--max-failures"))
    .option(
      "--max-unreachable <number>",
      "hosts that may be out of reach after they were told (default: 0)",
      count("--max-unreachable"),
    )
    .option(
      "--max-drifted <number>",
      "hosts whose maps others may change (default: any)",
      count("--max-drifted"),
    )
    .option(
      "--gate <json>",
      "a CounterGate: a bound on what maps count; may be repeated",
      gather(parseGate),
    )
    .addOption(
      new Option("--on-failure <what>", "when a gate fails (default: pause)").choices([
        "pause",
        "roll-back",
      ]),
    );
}

/** The plan that options say. */
export function planOf(options: PlanOptions): RolloutPlan {
  const { bake, progressTimeout, maxDrifted, onFailure } = options;
  return create(RolloutPlanSchema, {
    waves: [...(options.wave ?? [])],
    ...(bake !== undefined && { bakeTime: durationFromMs(bake) }),
    ...(progressTimeout !== undefined && { progressTimeout: durationFromMs(progressTimeout) }),
    maxInProgress: options.maxInProgress ?? 0,
    maxFailures: options.maxFailures ?? 0,
    maxUnreachable: options.maxUnreachable ?? 0,
    ...(maxDrifted !== undefined && { maxDrifted }),
    counters: [...(options.gate ?? [])],
    onFailure:
      onFailure === "roll-back" ? RolloutPlan_OnFailure.ROLL_BACK : RolloutPlan_OnFailure.PAUSE,
  });
}

function parseWave(text: string): Wave {
  const [, number = "", percent, bake] = /^(\d+(?:\.\d+)?)(%)?(?::(.+))?$/.exec(text) ?? [];
  const value = Number(number);
  if (number === "" || (percent === undefined && !Number.isInteger(value))) {
    throw new CliError(`--wave ${text} is none of 10, 10% and 10%:5m`);
  }
  return {
    size: { case: percent === undefined ? "hosts" : "percent", value },
    ...(bake !== undefined && { bakeTime: durationFromMs(parseBake(bake)) }),
  };
}

/** Unlike other durations, it may be nothing. */
function parseBake(text: string): number {
  return /^0(ms|[smhd])?$/.test(text) ? 0 : parseDuration(text);
}

function parseGate(text: string): Gate {
  try {
    return fromJson(CounterGateSchema, JSON.parse(text));
  } catch (error) {
    throw new CliError(`--gate is no CounterGate: ${messageOf(error)}`);
  }
}
