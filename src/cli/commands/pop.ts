import { onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { writeElement } from "../element-output.js";
import { ExitCode } from "../exit-code.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import { getMap } from "../maps.js";
import { typedFormat, typedValues } from "../typed-values.js";
import { addTypingOptions, type TypingOptions } from "../typing-options.js";
import type { Verb } from "../verb.js";

async function run(
  context: CliContext,
  words: Words,
  options: TypingOptions,
): Promise<ExitCode | undefined> {
  const arg = takeMap(words);
  words.expectEnd();
  const map = await getMap(context, arg);
  const { elements } = await context.client.maps.popElements(
    { map: context.mapRef(arg), maxCount: 1, ...typedFormat(map, options) },
    context.call,
  );
  if (elements === undefined || elements.count === 0) {
    // No error: bpftool, too, says it on standard output.
    await context.out.write(context.json ? "null\n" : "Error: empty map\n");
    return ExitCode.NOT_FOUND;
  }
  const typed = await typedValues(context, map, options);
  await writeElement(context, map, {
    key: new Uint8Array(0),
    value: elements.values,
    typed: typed && { values: typed, jsonKey: "", jsonValue: elements.jsonValues[0] ?? "" },
  });
  return undefined;
}

export const pop: Verb<TypingOptions> = {
  name: "pop",
  usage: "MAP",
  summary: "take the next value out of a stack or queue and print it",
  details: "Exit code 2 where there is none.",
  examples: [["map pop name jobs", "take one value"]],
  addOptions: addTypingOptions,
  complete: onlyMap,
  run,
};

export const dequeue: Verb<TypingOptions> = {
  ...pop,
  name: "dequeue",
  summary: "take the oldest value out of a queue: the same as pop",
  examples: [["map dequeue name jobs", "take one value"]],
};
