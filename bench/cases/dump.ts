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
  const client = await startClient(bench, map);
  try {
    return await compare(
      { case: `dump-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
      [
        { name: "DumpMap to a Node client", run: () => dumpTo(client, map) },
        { name: "first DumpMap of a new process", run: () => firstDump(bench, map) },
      ],
      [
        { name: "bpftool -j map dump > /dev/null", run: () => dumpAsJson(map) },
        { name: "C loop of LOOKUP_BATCH", run: () => batchDump(map) },
      ],
      7,
    );
  } finally {
    await client.stop();
  }
}

function startClient(bench: Bench, map: BenchMap): Promise<ClientProcess> {
  return ClientProcess.start("dump-client", [bench.daemon.address, `${map.id}`]);
}

/** Seconds of a dump to a client that was started for the map. */
export async function dumpTo(client: ClientProcess, map: BenchMap): Promise<number> {
  const { seconds, elements } = await client.ask<DumpAnswer>({ times: 1 });
  if (elements !== map.maxEntries) throw new Error(`the dump sent ${elements} elements`);
  return seconds;
}

/** In a new process nothing is compiled yet: what a script feels that dumps once and ends. */
async function firstDump(bench: Bench, map: BenchMap): Promise<number> {
  const client = await startClient(bench, map);
  try {
    return await dumpTo(client, map);
  } finally {
    await client.stop();
  }
}
