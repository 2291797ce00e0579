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
  const client = await startClient(bench, map);
  const prepare = () => bench.clear(map);
  try {
    return await compare(
      { case: `load-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
      [
        { name: "LoadMap from a Node client", prepare, run: () => loadFrom(client, map) },
        { name: "first LoadMap of a new process", prepare, run: () => firstLoad(bench, map) },
      ],
      [
        { name: "bpftool batch file, map by id", prepare, run: () => batchFile(byId) },
        { name: "bpftool batch file, map by pin", prepare, run: () => batchFile(byPin) },
        { name: "C loop of UPDATE_BATCH", prepare, run: () => batchLoad(map) },
      ],
      5,
    );
  } finally {
    await client.stop();
    await Promise.all([rm(byId), rm(byPin)]);
  }
}

function startClient(bench: Bench, map: BenchMap): Promise<ClientProcess> {
  const numbers = [map.maxEntries, loadChunkBytes].map(String);
  const args = [bench.daemon.address, `${map.id}`, map.shape.name, ...numbers];
  return ClientProcess.start("load-client", args);
}

async function loadFrom(client: ClientProcess, map: BenchMap): Promise<number> {
  const { seconds, written } = await client.ask<LoadAnswer>({});
  if (written !== map.maxEntries) throw new Error(`the load wrote ${written} elements`);
  return seconds;
}

/** In a new process nothing is compiled yet: what a script feels that loads once and ends. */
async function firstLoad(bench: Bench, map: BenchMap): Promise<number> {
  const client = await startClient(bench, map);
  try {
    return await loadFrom(client, map);
  } finally {
    await client.stop();
  }
}
