import { anyOrder, NOTHING } from "../completion/candidates.js";
import { afterMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { keyColumn, takeAnyKey } from "../grammar/element-args.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import { getMap } from "../maps.js";
import { addTypingOptions, type TypingOptions, typingOf } from "../typing-options.js";
import type { Verb } from "../verb.js";

async function run(context: CliContext, words: Words, options: TypingOptions): Promise<undefined> {
  const arg = takeMap(words);
  const map = await getMap(context, arg);
  const key = takeAnyKey(words, map);
  const typing = typingOf(options);
  await context.client.maps.deleteElements(
    { map: context.mapRef(arg), ...keyColumn(key), count: 1, ...(typing && { typing }) },
    context.call,
  );
  await context.printDone();
}

export const deleteVerb: Verb<TypingOptions> = {
  name: "delete",
  usage: "MAP key KEY",
  summary: "delete the element with this key",
  examples: [
    ["map delete id 5 key 1 0 0 0", "delete one element"],
    [`map delete name flows key '{"saddr": 1, "daddr": 2}'`, "by the types of the map"],
  ],
  addOptions: (command) => addTypingOptions(command, false),
  complete: afterMap(anyOrder({ key: () => NOTHING })),
  run,
};
