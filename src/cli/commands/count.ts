import { onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { ExitCode } from "../exit-code.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

export const count: Verb = {
  name: "count",
  usage: "MAP",
  summary: "count the elements on the host, without transferring them",
  examples: [
    ["map count name stats", "elements, room, and how full it is"],
    ["-j map count id 5", "for programs"],
  ],
  complete: onlyMap,
  async run(context: CliContext, words: Words): Promise<ExitCode | undefined> {
    const map = context.mapRef(takeMap(words));
    words.expectEnd();
    const progress = context.progress({ label: "counting" });
    const answer = await context.client.maps
      .countElements({ map }, context.longCall)
      .finally(() => progress.stop());
    const { count, maxEntries, complete } = answer;
    if (context.json) {
      await context.printJson((json) => {
        json.startObject();
        json.member("count", count);
        json.member("max_entries", maxEntries);
        json.member("complete", complete);
        json.endObject();
      });
    } else {
      const share = maxEntries === 0 ? "" : ` (${Math.round((Number(count) / maxEntries) * 100)}%)`;
      await context.out.write(`${count} of ${maxEntries} elements${share}\n`);
    }
    if (complete) return undefined;
    context.note("Warning: the map changed too fast to be counted completely");
    return ExitCode.INCOMPLETE;
  },
};
