import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { LoadAnswer } from "../clients/load-client.js";
import { type Bench, type BenchMap, loadChunkBytes } from "../harness/bench.js";
import { compare } from "../harness/compare.js";
import { type ElementShape, h48, h1664 } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import { batchFile, writeBatchFile } from "../peers/bpftool.js";
import { batchLoad } from "../peers/c-loop.js";
import type { Case } from "./case.js";

/** A million elements written into an empty hash map by another process. */
export const loadCases: Case[] = [h48, h1664].map((shape) => ({
  name: `load-${shape.name}`,
  about: `load 1 M elements, ${shape.keySize}+${shape.valueSize} bytes, into an empty hash map`,
  run: (bench) => load(bench, shape),
}));

async function load(bench: Bench, shape: ElementShape): Promise<Row[]> {
  const map = await bench.emptyMap(shape, 1_000_000);
  const byId = join(bench.directory, `${shape.name}-by-id`);
  const byPin = join(bench.directory, `${shape.name}-by-pin`);
  await writeBatchFile(byId, map, "id");
  await writeBatchFile(byPin, map, "pin");
  const prepare = () => bench.clear(map);
  const rows = await compare(
    { case: `load-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
    { name: "LoadMap from a Node client", prepare, run: () => loadOverGrpc(bench, map) },
    [
      { name: "bpftool batch file, map by id", prepare, run: () => batchFile(byId) },
      { name: "bpftool batch file, map by pin", prepare, run: () => batchFile(byPin) },
      { name: "C loop of UPDATE_BATCH", prepare, run: () => batchLoad(map) },
    ],
    5,
  );
  await Promise.all([rm(byId), rm(byPin)]);
  return rows;
}

async function loadOverGrpc(bench: Bench, map: BenchMap): Promise<number> {
  const { address } = bench.daemon;
  const numbers = [map.maxEntries, loadChunkBytes].map(String);
  const args = [address, `${map.id}`, map.shape.name, ...numbers];
  const client = await ClientProcess.start("load-client", args);
  try {
    const { seconds, written } = await client.ask<LoadAnswer>({});
    if (written !== map.maxEntries) throw new Error(`the load wrote ${written} elements`);
    return seconds;
  } finally {
    await client.stop();
  }
}
