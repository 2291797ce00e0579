import type { CliContext } from "../context.js";
import { hostJson, hostText } from "../format/host.js";
import { writeJson } from "../format/json-writer.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

export const host: Verb = {
  name: "host",
  usage: "",
  summary: "tell about the daemon and the host it runs on",
  examples: [
    ["host", "kernel, CPUs, boot, bpffs roots, missing capabilities"],
    ["-j host | jq -r .boot_id", "for programs"],
  ],
  async run(context: CliContext, words: Words): Promise<undefined> {
    words.expectEnd();
    const { host } = await context.client.host.getHost({}, context.call);
    if (context.json) await context.printJson((json) => writeJson(json, hostJson(host!)));
    else await context.out.write(hostText(host!, context.style));
  },
};
