import { FILES, NOTHING } from "../completion/candidates.js";
import { afterMap, onlyMap, pinWords } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

interface PinOptions {
  readonly parents?: boolean;
}

export const pin: Verb<PinOptions> = {
  name: "pin",
  usage: "MAP FILE",
  summary: "pin the map at a path on a bpffs of the host",
  examples: [
    ["map pin id 5 /sys/fs/bpf/stats", "pin it"],
    ["map pin held stats /sys/fs/bpf/app/stats --parents", "and make the directory"],
  ],
  addOptions: (command) => command.option("--parents", "make missing directories of FILE"),
  complete: afterMap((words) => (words.length === 0 ? FILES : NOTHING)),
  async run(context: CliContext, words: Words, options: PinOptions): Promise<undefined> {
    const map = context.mapRef(takeMap(words));
    const path = context.hostPath(words.next("the path to pin at"));
    words.expectEnd();
    await context.client.maps.pinMap(
      { map, path, createParents: options.parents ?? false },
      context.call,
    );
    await context.printDone();
  },
};

export const unpin: Verb<PinOptions> = {
  name: "unpin",
  usage: "FILE",
  summary: "remove a map's pin",
  details: "With no other reference (a hold, a program, an open fd) the kernel frees the map.",
  examples: [
    ["map unpin /sys/fs/bpf/stats", "remove a pin"],
    ["map unpin /sys/fs/bpf/app/stats --parents", "and directories that become empty"],
  ],
  addOptions: (command) =>
    command.option("--parents", "then remove the directories of FILE that are empty"),
  complete: (words, context) => (words.length === 0 ? pinWords(context) : NOTHING),
  async run(context: CliContext, words: Words, options: PinOptions): Promise<undefined> {
    const path = context.hostPath(words.next("the path of the pin"));
    words.expectEnd();
    await context.client.maps.unpinMap(
      { path, removeEmptyParents: options.parents ?? false },
      context.call,
    );
    await context.printDone();
  },
};

export const freeze: Verb = {
  name: "freeze",
  usage: "MAP",
  summary: "forbid user space to write the map, for good",
  details: "Programs in the kernel can still write it. It cannot be undone.",
  examples: [["map freeze name config", "no more updates from user space"]],
  complete: onlyMap,
  async run(context: CliContext, words: Words): Promise<undefined> {
    const map = context.mapRef(takeMap(words));
    words.expectEnd();
    await context.client.maps.freezeMap({ map }, context.call);
    await context.printDone();
  },
};
