import { fileURLToPath } from "node:url";
import type { BenchMap } from "../harness/bench.js";
import { run } from "../harness/process.js";

// The programs in C time themselves: from the first batch call to the last.

const directory = fileURLToPath(new URL("./", import.meta.url));

/** Seconds of a LOOKUP_BATCH loop over a full map: the better of two good batch sizes. */
export async function batchDump(map: BenchMap): Promise<number> {
  return measured("batch-dump", map, [`${map.id}`, "4096", "16384"]);
}

/** Seconds of an UPDATE_BATCH loop that fills the map. */
export async function batchLoad(map: BenchMap): Promise<number> {
  return measured("batch-load", map, [`${map.id}`, `${map.maxEntries}`, "4096"]);
}

async function measured(program: string, map: BenchMap, args: string[]): Promise<number> {
  const { stdout } = await run(`${directory}${program}`, args);
  const { seconds, elements } = JSON.parse(stdout) as { seconds: number; elements: number };
  if (elements !== map.maxEntries) throw new Error(`${program} saw ${elements} elements`);
  return seconds;
}
