import { CliError } from "../cli-error.js";
import type { Verb } from "../verb.js";

/** Stands in bpftool's place in the list of verbs, so that `map e` never means another one. */
export const eventPipe: Verb = {
  name: "event_pipe",
  usage: "MAP",
  summary: "not offered: use bpftool on the host",
  examples: [],
  hidden: true,
  async run(): Promise<undefined> {
    throw new CliError("event_pipe is not offered by bpfmapctl: use bpftool on the host");
  },
};
