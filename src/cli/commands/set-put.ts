import type { PutMapSetRequestSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { addHostOptions, type HostOptions, hostSelector } from "../grammar/host-selector.js";
import { takeMap } from "../grammar/map-arg.js";
import { parseU32 } from "../grammar/number.js";
import { addRolloutOptions, type RolloutOptions, rolloutOf } from "../grammar/rollout-plan.js";
import { addSetOptions, driftOf, ownershipOf, type SetOptions } from "../grammar/set-options.js";
import type { Words } from "../grammar/words.js";
import { elementsOf, printMapSet, type SetSizes } from "../map-sets.js";
import type { Verb } from "../verb.js";

type PutOptions = HostOptions & SetOptions & RolloutOptions;
type PutRequest = MessageInitShape<typeof PutMapSetRequestSchema>;

async function run(context: CliContext, words: Words, options: PutOptions): Promise<undefined> {
  const name = words.next("the set's NAME");
  const map = takeMap(words);
  if (map.by === "id") {
    throw new CliError("an id is another map on every host: name it by pin, name or hold");
  }
  const sizes = takeSizes(words);
  const path = words.done ? "-" : words.next("FILE");
  words.expectEnd();
  const rollout = rolloutOf(options);
  const start = {
    ...{ name, ...(rollout && { rollout }) },
    spec: {
      selector: hostSelector(options),
      target: { map: context.mapRef(map) },
      ...{ ownership: ownershipOf(options), drift: driftOf(options), ...sizes },
    },
    ...(options.expect !== undefined && { expectedGeneration: options.expect }),
  };
  const progress = context.progress({ label: "putting" });
  async function* requests(): AsyncGenerator<PutRequest, void> {
    yield { kind: { case: "start", value: start } };
    for await (const { count, keys, values } of elementsOf(context, path, sizes)) {
      yield { kind: { case: "elements", value: { count, keys, values } } };
      progress.add(count);
    }
  }
  try {
    const answer = await context.client.fleet.putMapSet(requests(), context.longCall);
    progress.stop();
    const { mapSet, newGeneration } = answer;
    await printMapSet(context, mapSet, {
      ...(!newGeneration && { text: "it was like that already" }),
      json: { new_generation: newGeneration },
    });
  } finally {
    progress.stop();
  }
}

/** Takes key SIZE value SIZE. */
function takeSizes(words: Words): SetSizes {
  const size = (word: string) => {
    if (!words.take(word)) throw new CliError(`expected '${word} SIZE', got: ${words.peek()}`);
    return parseU32(words.next(`the size after '${word}'`), word);
  };
  return { keySize: size("key"), valueSize: size("value") };
}

export const setPut: Verb<PutOptions> = {
  name: "put",
  usage: "NAME MAP key SIZE value SIZE [FILE | -]",
  summary: "make a map set of a file, or give it other contents",
  details: `MAP is the map on every host: pinned FILE, name NAME or held NAME. Sizes are in
bytes, of one CPU's value where the map is per-CPU. FILE is what \`map dump\`
prints, as text or JSON, each key once. Nothing changes before all of it is read.
Without --host and --label the set is for all hosts.`,
  examples: [
    ["fleet set put blocked pinned /sys/fs/bpf/blocked key 8 value 4 blocked.json", "everywhere"],
    ["fleet set put blocked held b key 8 value 4 b.json --label role=edge", "on some hosts"],
    ["fleet set put blocked held b key 8 value 4 b.json --expect 7", "if nobody was faster"],
    ["fleet set put blocked held b key 8 value 4 b.json --wave 1 --wave 100%", "one host first"],
  ],
  addOptions: (command) => addRolloutOptions(addSetOptions(addHostOptions(command))),
  run,
};
