import { addExpectOption } from "../grammar/set-options.js";
import type { Verb } from "../verb.js";

interface DeleteOptions {
  readonly expect?: bigint;
}

export const setDelete: Verb<DeleteOptions> = {
  name: "delete",
  usage: "NAME",
  summary: "delete a map set; its elements stay in the maps",
  details: "To have them removed, put the set empty before, and wait for its status.",
  examples: [["fleet set delete blocked", "hosts do not look at it any more"]],
  addOptions: addExpectOption,
  async run(context, words, { expect }) {
    const name = words.next("the set's NAME");
    words.expectEnd();
    const request = { name, ...(expect !== undefined && { expectedGeneration: expect }) };
    await context.client.fleet.deleteMapSet(request, context.call);
    await context.printDone();
    return undefined;
  },
};
