import type { Columns } from "./elements.js";

/** The messages of a LoadMap call that merges chunks of elements into a map, for all CPUs where it has values per CPU. */
export async function* loadRequests(mapId: number, chunks: Columns[], perCpu = false) {
  const map = { ref: { case: "id", value: mapId } } as const;
  const cpuTarget = { target: { case: "allCpus", value: true } } as const;
  const start = perCpu ? { map, cpuTarget } : { map };
  yield { kind: { case: "start", value: start } } as const;
  for (const chunk of chunks) yield { kind: { case: "elements", value: chunk } } as const;
}
