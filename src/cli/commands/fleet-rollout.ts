import { setTimeout as sleep } from "node:timers/promises";
import {
  BpfmapError,
  Fleet,
  type RolloutControl,
  type RolloutProgress,
  status,
} from "@bpfmapd/client";
import { RolloutPhase } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";
import { type Completion, oneOf } from "../completion/candidates.js";
import type { CliContext } from "../context.js";
import { ExitCode } from "../exit-code.js";
import { writeJson } from "../format/json-writer.js";
import { historyText, hostTable, rolloutJson, rolloutLines, sorted } from "../format/rollout.js";
import { addPlanOptions, type PlanOptions } from "../grammar/rollout-plan.js";
import type { Words } from "../grammar/words.js";
import { Screen } from "../top/screen.js";
import type { Verb } from "../verb.js";
import { takePatch } from "./set-patch.js";

interface RolloutOptions extends PlanOptions {
  readonly message?: string;
  readonly hosts?: boolean;
}

type Action = (
  context: CliContext,
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
  usage: "{start|status|watch|pause|resume|abort|rollback} NAME [CHANGES]",
  summary: "bring a change of a map set to its hosts in waves",
  details:
    "start makes CHANGES to the set NAME, as `fleet set patch` does, and rolls them out. watch " +
    "shows it until it has ended, with the hosts that are not well; its exit code is 12 where " +
    "not all have the change. pause tells nobody further; abort leaves each host as it is; " +
    "rollback takes all back.",
  examples: [
    [
      "fleet rollout start blocked key 10 0 0 1 value 1 0 0 0",
      "one host, 1 %, 10 %, all; a minute after each",
    ],
    [
      "fleet rollout start blocked load new.json --wave 1:10m --wave 100% --on-failure roll-back",
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
    return takeAction(words)(context, words, options);
  },
};

function takeAction(words: Words): Action {
  for (const [name, action] of Object.entries(ACTIONS)) if (words.take(name)) return action;
  const names = Object.keys(ACTIONS).join(", ");
  throw new CliError(`"${words.next("what to do")}" is none of ${names}`);
}

async function start(
  context: CliContext,
  words: Words,
  options: RolloutOptions,
): Promise<undefined> {
  const request = await takePatch(context, words, { ...options, rollout: true });
  const answer = await context.client.fleet.patchMapSet(request, context.longCall);
  if (!answer.newGeneration) {
    context.note("the set is like that already: nothing is rolled out");
    return;
  }
  const { name } = answer.mapSet!;
  await print(context, await new Fleet(context.client).rollout(name, context.call), options);
}

function takeSet(words: Words): string {
  const set = words.next("the set's NAME");
  words.expectEnd();
  return set;
}

async function show(
  context: CliContext,
  words: Words,
  options: RolloutOptions,
): Promise<undefined> {
  const set = takeSet(words);
  await print(context, await new Fleet(context.client).rollout(set, context.call), options);
}

function controlBy(control: RolloutControl): Action {
  return async (context, words, options) => {
    const set = takeSet(words);
    const fleet = new Fleet(context.client);
    const { message } = options;
    const call = { ...context.call, ...(message !== undefined && { message }) };
    await fleet.controlRollout(set, control, call);
    await print(context, await fleet.rollout(set, context.call), options);
    return undefined;
  };
}

/** Follows a rollout to its end, also over times at which no relay answers. */
async function watch(context: CliContext, words: Words): Promise<ExitCode | undefined> {
  const set = takeSet(words);
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
