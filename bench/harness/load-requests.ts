import type { Columns } from "./elements.js";

/** The messages of a LoadMap call that merges chunks of elements into a map. */
export async function* loadRequests(mapId: number, chunks: Columns[]) {
  const map = { ref: { case: "id", value: mapId } } as const;
  yield { kind: { case: "start", value: { map } } } as const;
  for (const chunk of chunks) yield { kind: { case: "elements", value: chunk } } as const;
}
