import type { DumpAnswer } from "../clients/dump-client.js";
import type { Bench, BenchMap } from "../harness/bench.js";
import { compare } from "../harness/compare.js";
import { type ElementShape, h48, h1664 } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import { dumpAsJson } from "../peers/bpftool.js";
import { batchDump } from "../peers/c-loop.js";
import type { Case } from "./case.js";

/** A whole hash map of a million elements, read by another process. */
export const dumpCases: Case[] = [h48, h1664].map((shape) => ({
  name: `dump-${shape.name}`,
  about: `dump 1 M elements, ${shape.keySize}+${shape.valueSize} bytes`,
  run: (bench) => dump(bench, shape),
}));

async function dump(bench: Bench, shape: ElementShape): Promise<Row[]> {
  const map = await bench.fullMap(shape, 1_000_000);
  return compare(
    { case: `dump-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
    { name: "DumpMap to a Node client", run: () => dumpOverGrpc(bench, map) },
    [
      { name: "bpftool -j map dump > /dev/null", run: () => dumpAsJson(map) },
      { name: "C loop of LOOKUP_BATCH", run: () => batchDump(map) },
    ],
    7,
  );
}

async function dumpOverGrpc(bench: Bench, map: BenchMap): Promise<number> {
  const client = await ClientProcess.start("dump-client", [bench.daemon.address, `${map.id}`]);
  try {
    const { seconds, elements } = await client.ask<DumpAnswer>({ times: 1 });
    if (elements !== map.maxEntries) throw new Error(`the dump sent ${elements} elements`);
    return seconds;
  } finally {
    await client.stop();
  }
}
