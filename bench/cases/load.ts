import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Bench, BenchMap } from "../harness/bench.js";
import { type Contender, compare } from "../harness/compare.js";
import { h48, h1664, type MapKind } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import { batchFile, writeBatchFile } from "../peers/bpftool.js";
import type { Case } from "./case.js";
import { goLoad, loadFrom, startLoader } from "./loaders.js";

/** A million elements written into an empty hash map by another process, beside bpftool. */
export const loadCases: Case[] = [h48, h1664].flatMap((shape) =>
  (["id", "pin"] as const).map((by) => ({
    name: `load-${by}-${shape.name}`,
    about: `load 1 M elements, ${shape.keySize}+${shape.valueSize} bytes, beside bpftool batch with the map by ${by}`,
    run: (bench: Bench) => load(bench, shape, by),
  })),
);

async function load(bench: Bench, shape: MapKind, by: "id" | "pin"): Promise<Row[]> {
  const map = await bench.emptyMap(shape, 1_000_000);
  const file = join(bench.directory, `${shape.name}-by-${by}`);
  await writeBatchFile(file, map, by);
  const node = await startLoader(bench, map);
  const go = await ClientProcess.startGo(bench.daemon);
  const prepare = () => bench.clear(map);
  const subjects: Contender[] = [
    { name: "LoadMap from the Go client", prepare, run: () => goLoad(go, map) },
    { name: "LoadMap from a Node client", prepare, run: () => loadFrom(node, map) },
  ];
  if (shape === h48) {
    const run = () => firstLoad(bench, map);
    subjects.push({ name: "first LoadMap of a new process", isNew: true, prepare, run });
  }
  const name = `bpftool batch file, map by ${by}`;
  try {
    return await compare(
      { case: `load-${by}-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
      subjects,
      [{ name, isNew: true, prepare, run: () => batchFile(file) }],
      shape === h48 ? 5 : 3, // so that it stays below a minute
    );
  } finally {
    await Promise.all([node.stop(), go.stop()]);
    await rm(file);
  }
}

/** In a new process nothing is compiled yet: what a script feels that loads once and ends. */
async function firstLoad(bench: Bench, map: BenchMap): Promise<number> {
  const client = await startLoader(bench, map);
  try {
    return await loadFrom(client, map);
  } finally {
    await client.stop();
  }
}
