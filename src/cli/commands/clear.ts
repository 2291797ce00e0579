import { onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

export const clear: Verb = {
  name: "clear",
  usage: "MAP",
  summary: "remove every element",
  details:
    "Elements of arrays cannot be removed and are set to zero; queues and stacks are emptied.",
  examples: [["map clear name stats", "empty the map"]],
  complete: onlyMap,
  async run(context: CliContext, words: Words): Promise<undefined> {
    const map = context.mapRef(takeMap(words));
    words.expectEnd();
    const progress = context.progress({ label: "clearing" });
    const { removed } = await context.client.maps
      .clearMap({ map }, context.longCall)
      .finally(() => progress.stop());
    if (!context.json) {
      await context.out.write(`removed ${removed} ${removed === 1n ? "element" : "elements"}\n`);
      return;
    }
    await context.printJson((json) => {
      json.startObject();
      json.member("removed", removed);
      json.endObject();
    });
  },
};
