import { CliError } from "../cli-error.js";
import { NOTHING, oneOf } from "../completion/candidates.js";
import type { CliContext } from "../context.js";
import { featureText, writeFeatures } from "../format/feature.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

export const probe: Verb = {
  name: "probe",
  usage: "[kernel]",
  summary: "tell which map types the host's kernel has",
  details: "bpftool's `feature probe`, for map types: the daemon tried each of them.",
  examples: [
    ["feature probe", "which map types are there"],
    ["-j feature probe kernel | jq .map_types.have_lpm_trie_map_type", "for programs"],
  ],
  complete: (words) => (words.length === 0 ? oneOf("kernel") : NOTHING),
  async run(context: CliContext, words: Words): Promise<undefined> {
    words.take("kernel");
    if (!words.done) {
      throw new CliError(
        `"${words.peek()}" is not supported: bpfmapctl probes the kernel's map types only`,
      );
    }
    const { types } = await context.client.host.getCapabilities({}, context.call);
    if (context.json) await context.printJson((json) => writeFeatures(json, types));
    else await context.out.write(featureText(types, context.style));
  },
};
