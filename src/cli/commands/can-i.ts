import { Verb as AccessVerb, type ExplainAccessResponse } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";
import { oneOf } from "../completion/candidates.js";
import { onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { ExitCode } from "../exit-code.js";
import { writeJson } from "../format/json-writer.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

/** The verbs of the daemon's policy, in its spelling. */
const VERB_NAMES = Object.keys(AccessVerb)
  .filter((name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED")
  .map((name) => name.toLowerCase());

interface CanIOptions {
  readonly uid?: number;
  readonly gid?: number[];
  readonly san?: string[];
  readonly claims?: string;
}

export const canI: Verb<CanIOptions> = {
  name: "can-i",
  usage: "VERB [MAP]",
  summary: "tell whether the daemon's policy allows something, and why",
  details:
    `VERB is ${VERB_NAMES.slice(0, -1).join(", ")} or ${VERB_NAMES.at(-1)}.\n` +
    "Without MAP: whether there is any map that it may be done to. Nothing is done.\n" +
    "Exit code 6 where it is not allowed.",
  examples: [
    ["auth can-i write name stats", "may I?"],
    ["auth can-i read id 5 --san spiffe://example.org/reader", "may another?"],
  ],
  addOptions: (command) =>
    command
      .option("--uid <number>", "ask about this user of the unix socket; needs admin", Number)
      .option("--gid <number>", "in this group; may be repeated", (text, list: number[] = []) => [
        ...list,
        Number(text),
      ])
      .option("--san <name>", "with this certificate name", (text, list: string[] = []) => [
        ...list,
        text,
      ])
      .option("--claims <json>", "with a token of these claims, a JSON object"),
  complete: (words, context) => {
    if (words.length === 0) return oneOf(...VERB_NAMES);
    return onlyMap(words.slice(1), context);
  },
  async run(context: CliContext, words: Words, options: CanIOptions) {
    const verb = takeVerb(words);
    const map = words.done ? undefined : context.mapRef(takeMap(words));
    words.expectEnd();
    const caller = callerOf(options);
    const answer = await context.client.host.explainAccess(
      { verb, ...(map && { map }), ...(caller && { caller }) },
      context.call,
    );
    if (context.json) await context.printJson((json) => writeJson(json, answerJson(answer)));
    else await context.out.write(`${answer.allowed ? "yes" : "no"}: ${answer.explanation}\n`);
    return answer.allowed ? undefined : ExitCode.DENIED;
  },
};

function takeVerb(words: Words): AccessVerb {
  const word = words.next("a verb, such as read or write");
  if (VERB_NAMES.includes(word)) return AccessVerb[word.toUpperCase() as keyof typeof AccessVerb];
  throw new CliError(`"${word}" is no verb: give one of ${VERB_NAMES.join(", ")}`);
}

function callerOf({ uid, gid, san, claims }: CanIOptions) {
  if ([uid, gid, san, claims].every((part) => part === undefined)) return undefined;
  for (const id of [uid ?? 0, ...(gid ?? [])]) {
    if (!Number.isInteger(id) || id < 0) throw new CliError("--uid and --gid take whole numbers");
  }
  return {
    ...(uid !== undefined && { uid }),
    gids: gid ?? [],
    sans: san ?? [],
    claimsJson: claims ?? "",
  };
}

function answerJson(answer: ExplainAccessResponse) {
  const { allowed, enforced, caller, identities, rule, explanation } = answer;
  return { allowed, enforced, caller, identities, rule, explanation };
}
