import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "../harness/bench.js";
import { cpuShare } from "../harness/cpu-share.js";
import { h48 } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import type { Growth } from "./growth.js";
import { type Point, type Series, series } from "./series.js";

const COUNTS = [1, 10, 100, 1000];
const ELEMENTS = 10_000;
const POLL_MS = 500;
const SECONDS = 4;

/** Watchers of one map, each of which is sent every change. */
export const watchers: Growth = {
  name: "watchers",
  about: "1 to 1,000 watchers of one map that changes 100 times a second",
  run: measure,
};

async function measure(bench: Bench): Promise<Series[]> {
  const { id } = await bench.emptyMap(h48, ELEMENTS);
  const shares: Point[] = [];
  const resident: Point[] = [];
  const numbers = [h48.keySize, h48.valueSize, ELEMENTS].map(String);
  const writer = await ClientProcess.start("writer-client", [`${id}`, ...numbers]);
  try {
    for (const count of COUNTS) {
      const daemon = await bench.startDaemon();
      const args = [daemon.address, ...[id, count, POLL_MS].map(String)];
      const subscribers = await ClientProcess.start("subscriber-client", args);
      try {
        const writing = writer.ask({ seconds: SECONDS + 2, perSecond: 100 });
        await sleep(1000);
        shares.push([count, await cpuShare(daemon, SECONDS)]);
        resident.push([count, await daemon.residentMiB()]);
        await writing;
      } finally {
        await subscribers.stop();
        await bench.stopDaemon(daemon);
      }
      console.error(`  ${count}: ${shares.at(-1)?.[1]} cores, ${resident.at(-1)?.[1]} MiB`);
    }
  } finally {
    await writer.stop();
  }
  const of = { name: "100 changes a second", cause: "watchers of a map" };
  return [series({ ...of, cost: "cores" }, shares), series({ ...of, cost: "MiB" }, resident)];
}
