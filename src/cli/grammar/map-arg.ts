import { CliError } from "../cli-error.js";
import { matchKeyword } from "./keyword.js";
import { parseU32 } from "./number.js";
import type { Words } from "./words.js";

/** MAP := { id MAP_ID | pinned FILE | name NAME | held NAME }, as it stands in the command. */
export type MapArg =
  | { readonly by: "id"; readonly id: number }
  | { readonly by: "pinned"; readonly path: string }
  | { readonly by: "name"; readonly name: string }
  | { readonly by: "held"; readonly held: string };

/** bpftool's keywords in its order, then ours. */
export const MAP_KEYWORDS = ["id", "name", "pinned", "held"] as const;

/** Takes a MAP. */
export function takeMap(words: Words): MapArg {
  const word = words.next("a map (id N, pinned FILE, name NAME or held NAME)");
  const keyword = matchKeyword(word, MAP_KEYWORDS);
  switch (keyword) {
    case "id":
      return { by: "id", id: parseU32(words.next("the map's id after 'id'"), "the map's id") };
    case "pinned":
      return { by: "pinned", path: words.next("the path after 'pinned'") };
    case "name":
      return { by: "name", name: words.next("the map's name after 'name'") };
    case "held":
      return { by: "held", held: words.next("the hold's name after 'held'") };
    default:
      throw new CliError(`expected 'id', 'name', 'pinned' or 'held', got: '${word}'?`);
  }
}

/** How a message names the map. */
export function describeMap(map: MapArg): string {
  switch (map.by) {
    case "id":
      return `map id ${map.id}`;
    case "pinned":
      return `the map pinned at ${map.path}`;
    case "name":
      return `the map named "${map.name}"`;
    case "held":
      return `the held map "${map.held}"`;
  }
}
