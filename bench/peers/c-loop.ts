import { fileURLToPath } from "node:url";
import type { BenchMap } from "../harness/bench.js";
import { run } from "../harness/process.js";

// The programs in C time themselves: from the first batch call to the last.

const directory = fileURLToPath(new URL("./", import.meta.url));

/** What work took. */
export interface Cost {
  /** The best of its runs. */
  seconds: number;
  /** The mean of its runs: time on a CPU, which waiting for one does not lengthen. */
  cpuSeconds: number;
}

/** Seconds of a LOOKUP_BATCH loop over a full map: the better of two good batch sizes. */
export async function batchDump(map: BenchMap): Promise<number> {
  return (await batchDumpCost(map)).seconds;
}

/** The same loop, with its CPU time. */
export async function batchDumpCost(map: BenchMap): Promise<Cost> {
  return measured("batch-dump", map, [`${map.id}`, "4096", "16384"]);
}

/** Seconds of an UPDATE_BATCH loop that fills the map. */
export async function batchLoad(map: BenchMap): Promise<number> {
  const args = [`${map.id}`, `${map.elements}`, "4096"];
  return (await measured("batch-load", map, args)).seconds;
}

async function measured(program: string, map: BenchMap, args: string[]): Promise<Cost> {
  const { stdout } = await run(`${directory}${program}`, args);
  const { elements, ...cost } = JSON.parse(stdout) as Cost & { elements: number };
  if (elements !== map.elements) throw new Error(`${program} saw ${elements} elements`);
  return cost;
}
