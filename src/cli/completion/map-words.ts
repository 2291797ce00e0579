import type { Map as BpfMap, ListMapsRequestSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CliContext } from "../context.js";
import { matchKeyword } from "../grammar/keyword.js";
import { MAP_KEYWORDS } from "../grammar/map-arg.js";
import { mapTypeName } from "../grammar/map-type.js";
import { type Completion, NOTHING, oneOf, type WordCompleter } from "./candidates.js";

type ListRequest = Omit<MessageInitShape<typeof ListMapsRequestSchema>, "$typeName" | "$unknown">;

/** Somebody waits at the keyboard: a daemon that does not answer at once is not waited for. */
const DEADLINE_MS = 1000;
/** As many as the daemon gives at once. */
const MOST_MAPS = 10_000;

/** Completes MAP, with the ids, names, pins and holds that the daemon knows now. */
export const completeMap: WordCompleter = (words, context) => {
  const keyword = words[0];
  if (keyword === undefined) return oneOf(...MAP_KEYWORDS);
  if (words.length > 1) return NOTHING;
  switch (matchKeyword(keyword, MAP_KEYWORDS)) {
    case "id":
      return mapWords(context, {}, (map) => [String(map.id)]);
    case "name":
      return mapWords(context, {}, (map) => (map.name === "" ? [] : [map.name]));
    case "pinned":
      return pinWords(context);
    case "held":
      return holdNames(context);
    default:
      return NOTHING;
  }
};

/** Completes MAP and what follows it. */
export function afterMap(next: WordCompleter): WordCompleter {
  return (words, context) =>
    words.length < 2 ? completeMap(words, context) : next(words.slice(2), context);
}

/** Completes MAP alone. */
export const onlyMap: WordCompleter = afterMap(() => NOTHING);

/** Names of the daemon's holds. */
export function holdNames(context: CliContext): Promise<Completion> {
  return mapWords(context, { filter: { held: true } }, (map) => map.holds.map(({ name }) => name));
}

/** Paths of pins: those that the daemon finds, and files where it runs on this host. */
export async function pinWords(context: CliContext): Promise<Completion> {
  const { candidates } = await mapWords(
    context,
    { filter: { pinned: true }, detail: { pins: true } },
    (map) => map.pinPaths,
  );
  return { candidates, files: context.isLocal };
}

async function mapWords(
  context: CliContext,
  request: ListRequest,
  wordsOf: (map: BpfMap) => readonly string[],
): Promise<Completion> {
  const maps = await listQuietly(context, request);
  const candidates = maps.flatMap((map) =>
    wordsOf(map).map((value) => ({
      value,
      description: `${map.id}: ${mapTypeName(map.type) ?? map.type} ${map.name}`.trimEnd(),
    })),
  );
  return { candidates };
}

/** Completion has nowhere to tell an error, so without an answer there are no candidates. */
async function listQuietly(context: CliContext, request: ListRequest): Promise<BpfMap[]> {
  try {
    const { maps } = await context.client.maps.listMaps(
      { ...request, pageSize: MOST_MAPS },
      { deadlineMs: context.options.timeout ?? DEADLINE_MS },
    );
    return maps;
  } catch {
    return [];
  }
}
