import { BpfmapError, status as grpcStatus } from "@bpfmapd/client";
import type { MapSetStatus, MapSetTotals } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { ExitCode } from "../exit-code.js";
import { writeJson } from "../format/json-writer.js";
import { setStatusJson, setStatusTable, setTotalsJson, setTotalsText } from "../format/map-set.js";
import { parseDuration } from "../grammar/duration.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

interface StatusOptions {
  readonly wait?: number;
}

interface SetInFleet {
  readonly hosts: ReadonlyMap<string, MapSetStatus>;
  readonly totals: MapSetTotals;
}

async function run(
  context: CliContext,
  words: Words,
  { wait }: StatusOptions,
): Promise<ExitCode | undefined> {
  const name = words.next("the set's NAME");
  words.expectEnd();
  const { hosts, totals } = await statusOf(context, name, wait);
  const statuses = [...hosts.values()];
  if (context.json) {
    const json = { totals: setTotalsJson(totals), hosts: statuses.map(setStatusJson) };
    await context.printJson((writer) => writeJson(writer, json));
  } else {
    if (statuses.length > 0) {
      await context.out.write(setStatusTable(statuses, totals.generation, context.style));
    }
    context.note(setTotalsText(totals, context.style));
  }
  return isDone(totals) ? undefined : ExitCode.PARTIAL;
}

function isDone({ hosts, applied, failed, drifted }: MapSetTotals): boolean {
  return applied === hosts && failed === 0 && drifted === 0;
}

/** How the set is now, or once it is right everywhere, or when the time to wait is over. */
async function statusOf(
  context: CliContext,
  name: string,
  waitMs: number | undefined,
): Promise<SetInFleet> {
  const hosts = new Map<string, MapSetStatus>();
  let totals: MapSetTotals | undefined;
  const call = waitMs === undefined ? context.longCall : { ...context.call, deadlineMs: waitMs };
  const progress = context.progress({ label: "waiting" });
  try {
    for await (const { event } of context.client.fleet.watchMapSetStatus({ name }, call)) {
      if (event.case === "status") hosts.set(event.value.hostId, event.value);
      if (event.case === "removedHostId") hosts.delete(event.value);
      if (event.case !== "totals") continue;
      totals = event.value;
      if (waitMs === undefined || isDone(totals)) break;
    }
  } catch (error) {
    const isOver = error instanceof BpfmapError && error.code === grpcStatus.DEADLINE_EXCEEDED;
    if (!isOver || totals === undefined) throw error;
  } finally {
    progress.stop();
  }
  if (totals === undefined) throw new CliError("the relay has told no totals");
  return { hosts, totals };
}

export const setStatus: Verb<StatusOptions> = {
  name: "status",
  usage: "NAME",
  summary: "tell how a map set is on its hosts",
  details: `One line for each host: the generation it has, how its map differs, the last
error, which it tries again by itself. Exit code 12 where not all are right.`,
  examples: [
    ["fleet set status blocked", "now"],
    ["fleet set status blocked --wait 1m", "once it is everywhere, for a minute at most"],
  ],
  addOptions: (command) =>
    command.option("--wait <duration>", "until all hosts are right", parseDuration),
  run,
};
