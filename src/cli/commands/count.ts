import { onlyMap } from "../completion/map-words.js";
import { ExitCode } from "../exit-code.js";
import { takeMap } from "../grammar/map-arg.js";
import { addConditionOptions, type ConditionOptions, conditionsOf } from "../query-options.js";
import { addTypingOptions, type TypingOptions, typingOf } from "../typing-options.js";
import type { Verb } from "../verb.js";

type CountOptions = TypingOptions & ConditionOptions;

export const count: Verb<CountOptions> = {
  name: "count",
  usage: "MAP",
  summary: "count the elements on the host, without transferring them",
  examples: [
    ["map count name stats", "elements, room, and how full it is"],
    ["map count name flows --where 'value.verdict == DROPPED'", "those of which a condition holds"],
    ["-j map count id 5", "for programs"],
  ],
  addOptions: (command) => addTypingOptions(addConditionOptions(command), false),
  complete: onlyMap,
  async run(context, words, options): Promise<ExitCode | undefined> {
    const map = context.mapRef(takeMap(words));
    words.expectEnd();
    const progress = context.progress({ label: "counting" });
    const answer = await context.client.maps
      .countElements({ map, ...queryOf(options) }, context.longCall)
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

function queryOf(options: CountOptions) {
  const typing = typingOf(options);
  const filter = conditionsOf(options);
  return { ...(filter.fields && { filter }), ...(typing && { typing }) };
}
