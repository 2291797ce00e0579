import type { DumpAnswer } from "../clients/dump-client.js";
import type { Bench } from "../harness/bench.js";
import { h1664 } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import type { Growth } from "./growth.js";
import { median, type Point, type Series, series } from "./series.js";

const COUNTS = [1, 2, 4, 8, 16, 32];
const ELEMENTS = 200_000;
const RUNS = 3;

/** Dumps of one map at the same time, over one connection. */
export const concurrentDumps: Growth = {
  name: "concurrent-dumps",
  about: "1 to 32 dumps of 200 k elements at a time, 16+64 bytes",
  run: measure,
};

async function measure(bench: Bench): Promise<Series[]> {
  const map = await bench.fullMap(h1664, ELEMENTS);
  const times: Point[] = [];
  const peaks: Point[] = [];
  for (const count of COUNTS) {
    const daemon = await bench.startDaemon();
    const client = await ClientProcess.startGo(daemon);
    try {
      const taken: number[] = [];
      for (let run = 0; run < RUNS; run++) {
        const question = { work: "dumps", map: map.id, callers: count };
        const { seconds, elements } = await client.ask<DumpAnswer>(question);
        if (elements !== ELEMENTS * count) throw new Error(`the dumps sent ${elements} elements`);
        taken.push(seconds);
      }
      times.push([count, median(taken)]);
      peaks.push([count, await daemon.peakMiB()]);
    } finally {
      await client.stop();
      await bench.stopDaemon(daemon);
    }
    console.error(`  ${count}: ${times.at(-1)?.[1]} s, ${peaks.at(-1)?.[1]} MiB`);
  }
  const of = { name: "until all have ended", cause: "dumps at a time" };
  return [series({ ...of, cost: "seconds" }, times), series({ ...of, cost: "MiB" }, peaks)];
}
