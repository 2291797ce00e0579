import type { MapSet } from "@bpfmapd/client/proto";
import { writeJson } from "../format/json-writer.js";
import { mapSetJson, mapSetTable } from "../format/map-set.js";
import type { Verb } from "../verb.js";

export const setList: Verb = {
  name: "list",
  usage: "",
  summary: "list the map sets of a fleet",
  examples: [
    ["fleet set list", "all sets"],
    ["-j fleet set list | jq -r '.[].name'", "for programs"],
  ],
  async run(context, words) {
    words.expectEnd();
    const sets: MapSet[] = [];
    for (let pageToken = ""; ; ) {
      const page = await context.client.fleet.listMapSets({ pageToken }, context.call);
      sets.push(...page.mapSets);
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    if (context.json) await context.printJson((json) => writeJson(json, sets.map(mapSetJson)));
    else if (sets.length === 0) context.note("no map sets");
    else await context.out.write(mapSetTable(sets, context.style));
    return undefined;
  },
};
