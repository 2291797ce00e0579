import { anyOrder, NOTHING } from "../completion/candidates.js";
import { afterMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { takeKey } from "../grammar/element-args.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import { getMap } from "../maps.js";
import type { Verb } from "../verb.js";

async function run(context: CliContext, words: Words): Promise<undefined> {
  const arg = takeMap(words);
  const map = await getMap(context, arg);
  const keys = takeKey(words, map);
  await context.client.maps.deleteElements(
    { map: context.mapRef(arg), keys, count: 1 },
    context.call,
  );
  await context.printDone();
}

export const deleteVerb: Verb = {
  name: "delete",
  usage: "MAP key DATA",
  summary: "delete the element with this key",
  examples: [["map delete id 5 key 1 0 0 0", "delete one element"]],
  complete: afterMap(anyOrder({ key: () => NOTHING })),
  run,
};
