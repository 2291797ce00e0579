import type { DumpSummary } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { DumpPrinter } from "../dump-printer.js";
import { parseGeneration } from "../grammar/set-options.js";
import type { Words } from "../grammar/words.js";
import { asMap, sizesOf } from "../map-sets.js";
import type { Verb } from "../verb.js";

interface GetOptions {
  readonly generation?: bigint;
}

async function run(context: CliContext, words: Words, options: GetOptions): Promise<undefined> {
  const name = words.next("the set's NAME");
  words.expectEnd();
  const printer = new DumpPrinter(context, { singleValue: false, typed: async () => undefined });
  const request = { name, generation: options.generation ?? 0n };
  let isWhole = false;
  for await (const { kind } of context.client.fleet.getMapSet(request, context.longCall)) {
    if (kind.case === "mapSet") await printer.header(asMap(name, sizesOf(kind.value)));
    if (kind.case === "elements") await printer.elements(kind.value);
    if (kind.case !== "end") continue;
    isWhole = true;
    await printer.summary({ sent: kind.value.elementCount } as DumpSummary);
  }
  if (!isWhole) throw new CliError("the set was cut off");
  return undefined;
}

export const setGet: Verb<GetOptions> = {
  name: "get",
  usage: "NAME",
  summary: "print the elements of a map set, as map dump does",
  examples: [
    ["fleet set get blocked", "its elements, by key"],
    ["-j fleet set get blocked --generation 6 >before.json", "those of an earlier generation"],
  ],
  addOptions: (command) =>
    command.option(
      "--generation <number>",
      "an earlier one; the last eight are kept",
      parseGeneration,
    ),
  run,
};
