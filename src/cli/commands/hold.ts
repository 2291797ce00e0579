import type { Hold } from "@bpfmapd/client/proto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { NOTHING } from "../completion/candidates.js";
import { afterMap, holdNames } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { holdJson, holdText } from "../format/hold.js";
import { parseDuration } from "../grammar/duration.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

interface HoldOptions {
  /** Milliseconds. */
  readonly lease?: number;
}

/** The contract's HoldSpec of a name and a lease in milliseconds. */
export function holdSpec(name: string, leaseMs: number | undefined) {
  return { name, ...(leaseMs === undefined ? {} : { lease: durationFromMs(leaseMs) }) };
}

async function printHolds(context: CliContext, holds: readonly Hold[], many: boolean) {
  if (!context.json) {
    await context.out.write(holds.map((hold) => `held as ${holdText(hold)}\n`).join(""));
    return;
  }
  await context.printJson((json) => {
    if (many) json.startArray();
    for (const hold of holds) holdJson(json, hold);
    if (many) json.endArray();
  });
}

export const hold: Verb<HoldOptions> = {
  name: "hold",
  usage: "MAP NAME",
  summary: "let the daemon keep the map alive under a name",
  details:
    "The hold outlives restarts of the daemon. With --lease it ends by itself unless it is " +
    "renewed with keepalive. Holding again under the same name replaces the lease.",
  examples: [
    ["map hold id 5 stats", "until it is released"],
    ["map hold id 5 stats --lease 10m", "for ten minutes, or until renewed"],
  ],
  addOptions: (command) =>
    command.option(
      "--lease <duration>",
      "end the hold after this time, such as 30s",
      parseDuration,
    ),
  complete: afterMap(() => NOTHING),
  async run(context: CliContext, words: Words, options: HoldOptions): Promise<undefined> {
    const map = context.mapRef(takeMap(words));
    const name = words.next("the name to hold the map under");
    words.expectEnd();
    const answer = await context.client.maps.holdMap(
      { map, hold: holdSpec(name, options.lease) },
      context.call,
    );
    const made = answer.map?.holds.filter((candidate) => candidate.name === name) ?? [];
    await printHolds(context, made, false);
  },
};

export const release: Verb = {
  name: "release",
  usage: "NAME",
  summary: "end a hold",
  details: "With no other reference (a pin, a program, an open fd) the kernel frees the map.",
  examples: [["map release stats", "end the hold"]],
  complete: (words, context) => (words.length === 0 ? holdNames(context) : NOTHING),
  async run(context: CliContext, words: Words): Promise<undefined> {
    const name = words.next("the hold's name");
    words.expectEnd();
    await context.client.maps.releaseMap({ name }, context.call);
    await context.printDone();
  },
};

export const keepalive: Verb = {
  name: "keepalive",
  usage: "NAME...",
  summary: "start the leases of holds anew",
  details: "Where one of the names is not known, none is renewed.",
  examples: [["map keepalive stats routes", "renew two leases"]],
  complete: (_words, context) => holdNames(context),
  async run(context: CliContext, words: Words): Promise<undefined> {
    const names = [words.next("the hold's name")];
    while (!words.done) names.push(words.next("the hold's name"));
    const { holds } = await context.client.maps.keepAlive({ names }, context.call);
    await printHolds(context, holds, true);
  },
};
