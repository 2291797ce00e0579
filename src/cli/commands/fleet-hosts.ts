import { Fleet } from "@bpfmapd/client";
import { fleetHostJson, fleetHostTable } from "../format/fleet.js";
import { writeJson } from "../format/json-writer.js";
import { addHostOptions, type HostOptions, hostSelector } from "../grammar/host-selector.js";
import type { Verb } from "../verb.js";

export const fleetHosts: Verb<HostOptions> = {
  name: "hosts",
  usage: "",
  summary: "list the hosts of a fleet",
  details: "Asks a relay, or a daemon that is a fleet of its own: see --address.",
  examples: [
    ["fleet hosts", "all hosts"],
    ["fleet hosts --label zone=a --label '!drained'", "some of them"],
    ["-j fleet hosts | jq -r '.[] | select(.liveness == \"LOST\").id'", "for programs"],
  ],
  addOptions: addHostOptions,
  async run(context, words, options) {
    words.expectEnd();
    const hosts = await new Fleet(context.client).hosts(hostSelector(options), context.call);
    if (context.json) {
      await context.printJson((json) => writeJson(json, hosts.map(fleetHostJson)));
    } else if (hosts.length === 0) context.note("no hosts");
    else await context.out.write(fleetHostTable(hosts, context.style));
    return undefined;
  },
};
