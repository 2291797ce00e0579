import type { PatchMapSetRequestSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Chunk } from "../files/chunk-builder.js";
import { takeData } from "../grammar/data.js";
import { addHostOptions, type HostOptions, hostSelector } from "../grammar/host-selector.js";
import { addRolloutOptions, type RolloutOptions, rolloutOf } from "../grammar/rollout-plan.js";
import { addSetOptions, driftOf, ownershipOf, type SetOptions } from "../grammar/set-options.js";
import type { Words } from "../grammar/words.js";
import { elementsOf, getMapSet, printMapSet, type SetSizes, sizesOf } from "../map-sets.js";
import type { Verb } from "../verb.js";

type PatchRequest = MessageInitShape<typeof PatchMapSetRequestSchema>;
type PatchOptions = HostOptions & SetOptions & RolloutOptions & { readonly allHosts?: boolean };

async function run(context: CliContext, words: Words, options: PatchOptions): Promise<undefined> {
  const request = await takePatch(context, words, options);
  const answer = await context.client.fleet.patchMapSet(request, context.longCall);
  const { mapSet, newGeneration, added, changed, removed: gone, unchanged } = answer;
  await printMapSet(context, mapSet, {
    text: `added ${added}, changed ${changed}, removed ${gone}, unchanged ${unchanged}`,
    json: { new_generation: newGeneration, added, changed, removed: gone, unchanged },
  });
}

/** Takes NAME and its changes. */
export async function takePatch(
  context: CliContext,
  words: Words,
  options: PatchOptions,
): Promise<PatchRequest> {
  const name = words.next("the set's NAME");
  const sizes = sizesOf(await getMapSet(context, name));
  const { puts, removed } = await takeChanges(context, words, sizes);
  const rollout = rolloutOf(options);
  return {
    ...{ name, ownership: ownershipOf(options), drift: driftOf(options) },
    ...(puts.length > 0 && { puts: joined(puts) }),
    ...{ removedKeys: Buffer.concat(removed), removedCount: removed.length },
    ...(options.expect !== undefined && { expectedGeneration: options.expect }),
    ...(hasHosts(options) && { selector: hostSelector(options) }),
    ...(rollout && { rollout }),
  };
}

function hasHosts({ host = [], label = [], allHosts = false }: PatchOptions): boolean {
  if (allHosts && host.length + label.length > 0) {
    throw new CliError("--all-hosts excludes --host and --label");
  }
  return allHosts || host.length + label.length > 0;
}

/** Takes { load FILE | key DATA value DATA | delete key DATA }... */
async function takeChanges(context: CliContext, words: Words, sizes: SetSizes) {
  const puts: Chunk[] = [];
  const removed: Uint8Array[] = [];
  while (!words.done) {
    if (words.take("load")) {
      const path = words.next("the FILE after 'load'");
      for await (const chunk of elementsOf(context, path, sizes)) puts.push(copyOf(chunk));
    } else if (words.take("delete")) {
      removed.push(takeNamed(words, "key", sizes.keySize));
    } else {
      const keys = takeNamed(words, "key", sizes.keySize);
      puts.push({ count: 1, keys, values: takeNamed(words, "value", sizes.valueSize) });
    }
  }
  return { puts, removed };
}

function takeNamed(words: Words, name: "key" | "value", size: number): Uint8Array {
  if (!words.take(name)) {
    throw new CliError(`expected load, delete or ${name}, got: ${words.peek() ?? "nothing"}`);
  }
  return takeData(words, size, name);
}

/** A chunk's memory is used again for the next one. */
function copyOf({ count, keys, values }: Chunk): Chunk {
  return { count, keys: keys.slice(), values: values.slice() };
}

function joined(chunks: readonly Chunk[]) {
  return {
    count: chunks.reduce((sum, { count }) => sum + count, 0),
    keys: Buffer.concat(chunks.map(({ keys }) => keys)),
    values: Buffer.concat(chunks.map(({ values }) => values)),
  };
}

export const setPatch: Verb<PatchOptions> = {
  name: "patch",
  usage: "NAME [load FILE | key DATA value DATA | delete key DATA]...",
  summary: "change some elements of a map set, or what it is for",
  details: `DATA is as in \`map update\`; FILE is what \`map dump\` prints. All changes are one
generation. With --host or --label the set is for these hosts from now on.`,
  examples: [
    ["fleet set patch blocked key 10 0 0 1 value 1 0 0 0", "add or change an element"],
    ["fleet set patch blocked load new.json delete key 10 0 0 1", "several at once"],
    ["fleet set patch blocked --drift report", "only tell of others' changes"],
    ["fleet set patch blocked --label role=edge", "for other hosts"],
    ["fleet set patch blocked load new.json --rollout", "in waves: see fleet rollout"],
  ],
  addOptions: (command) =>
    addRolloutOptions(addSetOptions(addHostOptions(command))).option(
      "--all-hosts",
      "be for all hosts from now on",
    ),
  run,
};
