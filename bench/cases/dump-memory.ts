import type { Bench } from "../harness/bench.js";
import { compare } from "../harness/compare.js";
import { h1664 } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import type { Case } from "./case.js";

/** What dumps cost the daemon in memory, by the size of the map. */
export const dumpMemory: Case = {
  name: "dump-memory",
  about: "peak resident memory of a fresh daemon: one dump of 1 M elements, 100 dumps of 10 k",
  run: measure,
};

async function measure(bench: Bench): Promise<Row[]> {
  const large = await bench.fullMap(h1664, 1_000_000);
  const small = await bench.fullMap(h1664, 10_000);
  return compare(
    { case: "dump-memory", meaning: "subject / peer", unit: "MiB" },
    [{ name: "1 dump of 1 M elements", run: () => peak(bench, large.id, 1) }],
    [
      { name: "100 dumps of 10 k elements", run: () => peak(bench, small.id, 100) },
      { name: "1 dump of 10 k elements", run: () => peak(bench, small.id, 1) },
    ],
    5,
  );
}

async function peak(bench: Bench, mapId: number, times: number): Promise<number> {
  const daemon = await bench.startDaemon();
  const client = await ClientProcess.start("dump-client", [daemon.address, `${mapId}`]);
  try {
    await client.ask({ times });
    return await daemon.peakMiB();
  } finally {
    await client.stop();
    await bench.stopDaemon(daemon);
  }
}
