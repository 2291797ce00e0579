import { setTimeout as sleep } from "node:timers/promises";
import {
  BpfmapError,
  Fleet,
  type RolloutControl,
  type RolloutProgress,
  status,
} from "@bpfmapd/client";
import { PatchMapSetRequestSchema, RolloutPhase } from "@bpfmapd/client/proto";
import { fromJson } from "@bufbuild/protobuf";
import { CliError, messageOf } from "../cli-error.js";
import { type Completion, oneOf } from "../completion/candidates.js";
import type { CliContext } from "../context.js";
import { ExitCode } from "../exit-code.js";
import { writeJson } from "../format/json-writer.js";
import { historyText, hostTable, rolloutJson, rolloutLines, sorted } from "../format/rollout.js";
import { addPlanOptions, type PlanOptions, planOf } from "../grammar/rollout-plan.js";
import type { Words } from "../grammar/words.js";
import { Screen } from "../top/screen.js";
import type { Verb } from "../verb.js";

interface RolloutOptions extends PlanOptions {
  readonly message?: string;
  readonly hosts?: boolean;
}

type Action = (
  context: CliContext,
  set: string,
  words: Words,
  options: RolloutOptions,
) => Promise<ExitCode | undefined>;

const ACTIONS: Readonly<Record<string, Action>> = {
  start,
  status: show,
  watch,
  pause: controlBy("pause"),
  resume: controlBy("resume"),
  abort: controlBy("abort"),
  rollback: controlBy("rollBack"),
};
const RETRY_MS = 1000;

export const fleetRollout: Verb<RolloutOptions> = {
  name: "rollout",
  usage: "{start|status|watch|pause|resume|abort|rollback} SET [CHANGE]",
  summary: "bring a change of a map set to its hosts in waves",
  details:
    "start makes CHANGE to the set, a PatchMapSetRequest as JSON, and rolls it out. watch " +
    "shows it until it has ended, with the hosts that are not well; its exit code is 12 where " +
    "not all have the change. pause tells nobody further; abort leaves each host as it is; " +
    "rollback takes all back.",
  examples: [
    [
      `fleet rollout start blocked '{"puts": {"count": 1, "keys": "CgAAAQ==", "values": "AQ=="}}'`,
      "one host, 1 %, 10 %, all; a minute after each",
    ],
    [
      "fleet rollout start blocked '{...}' --wave 1:10m --wave 100% --on-failure roll-back",
      "one host for ten minutes, then all",
    ],
    ["fleet rollout watch blocked", "live on a terminal"],
    ["fleet rollout pause blocked --message 'drops on node-7'", "the history keeps why"],
  ],
  addOptions: (command) =>
    addPlanOptions(command)
      .option("--message <text>", "why, for the rollout's history")
      .option("--hosts", "status: list all hosts"),
  complete: (words): Completion => (words.length === 0 ? oneOf(...Object.keys(ACTIONS)) : oneOf()),
  async run(context, words, options) {
    const action = takeAction(words);
    const set = words.next("the name of a map set");
    return action(context, set, words, options);
  },
};

function takeAction(words: Words): Action {
  for (const [name, action] of Object.entries(ACTIONS)) if (words.take(name)) return action;
  const names = Object.keys(ACTIONS).join(", ");
  throw new CliError(`"${words.next("what to do")}" is none of ${names}`);
}

async function start(
  context: CliContext,
  name: string,
  words: Words,
  options: RolloutOptions,
): Promise<undefined> {
  const change = changeOf(words.next("the change, as JSON"));
  words.expectEnd();
  const request = { ...change, name, rollout: planOf(options) };
  const answer = await context.client.fleet.patchMapSet(request, context.longCall);
  if (!answer.newGeneration) {
    context.note("the set is like that already: nothing is rolled out");
    return;
  }
  await print(context, await new Fleet(context.client).rollout(name, context.call), options);
}

async function show(
  context: CliContext,
  set: string,
  words: Words,
  options: RolloutOptions,
): Promise<undefined> {
  words.expectEnd();
  await print(context, await new Fleet(context.client).rollout(set, context.call), options);
}

function controlBy(control: RolloutControl): Action {
  return async (context, set, words, options) => {
    words.expectEnd();
    const fleet = new Fleet(context.client);
    const { message } = options;
    const call = { ...context.call, ...(message !== undefined && { message }) };
    await fleet.controlRollout(set, control, call);
    await print(context, await fleet.rollout(set, context.call), options);
    return undefined;
  };
}

/** Follows a rollout to its end, also over times at which no relay answers. */
async function watch(
  context: CliContext,
  set: string,
  words: Words,
): Promise<ExitCode | undefined> {
  words.expectEnd();
  const screen = context.tables ? new Screen(context.out) : undefined;
  let last: RolloutProgress | undefined;
  try {
    while (last === undefined || !hasEnded(last)) {
      try {
        const all = new Fleet(context.client).watchRollout(set, context.longCall);
        for await (const progress of all) {
          last = progress;
          await showOne(context, screen, progress);
        }
      } catch (error) {
        if (!(error instanceof BpfmapError) || error.code !== status.UNAVAILABLE) throw error;
        if (!screen) context.note(`-- ${error.message}: trying again`);
        await sleep(RETRY_MS, undefined, { signal: context.signal });
      }
    }
  } finally {
    await screen?.leave();
  }
  if (screen && last) await print(context, last, {});
  return last?.rollout.phase === RolloutPhase.COMPLETED ? undefined : ExitCode.PARTIAL;
}

function hasEnded({ rollout: { phase } }: RolloutProgress): boolean {
  return (
    phase === RolloutPhase.COMPLETED ||
    phase === RolloutPhase.ROLLED_BACK ||
    phase === RolloutPhase.ABORTED
  );
}

/** One look at it: in place on a terminal, otherwise one after the other. */
async function showOne(
  context: CliContext,
  screen: Screen | undefined,
  progress: RolloutProgress,
): Promise<void> {
  const rows = context.terminalSize()?.rows;
  if (screen) await screen.draw(rolloutLines(progress, context.style, rows));
  else if (context.json) await context.printJson((json) => writeJson(json, rolloutJson(progress)));
  else await context.out.write(`${rolloutLines(progress, context.style).join("\n")}\n\n`);
}

async function print(
  context: CliContext,
  progress: RolloutProgress,
  { hosts }: Pick<RolloutOptions, "hosts">,
): Promise<void> {
  if (context.json) {
    await context.printJson((json) => writeJson(json, rolloutJson(progress)));
    return;
  }
  const { style, out } = context;
  await out.write(`${rolloutLines(progress, style).join("\n")}\n`);
  if (hosts) await out.write(`\n${hostTable(sorted(progress.hosts.values()), style)}`);
  await out.write(`\n${historyText(progress.rollout, style)}`);
}

function changeOf(text: string) {
  try {
    return fromJson(PatchMapSetRequestSchema, JSON.parse(text));
  } catch (error) {
    throw new CliError(`the change is no PatchMapSetRequest: ${messageOf(error)}`);
  }
}
