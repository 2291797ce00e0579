import type { LoadAnswer } from "../clients/load-client.js";
import type { Bench, BenchMap } from "../harness/bench.js";
import { besideReference } from "../harness/beside-reference.js";
import { compare } from "../harness/compare.js";
import { type ElementShape, h48, h1664 } from "../harness/elements.js";
import type { ClientProcess } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import { batchLoad } from "../peers/c-loop.js";
import type { Case } from "./case.js";

/** A million elements written into an empty hash map by the Go client. */
export const goLoadCases: Case[] = [h48, h1664].map((shape) => ({
  name: `load-go-${shape.name}`,
  about: `load 1 M elements by the Go client, ${shape.keySize}+${shape.valueSize} bytes`,
  run: (bench) => measure(bench, shape),
}));

async function measure(bench: Bench, shape: ElementShape): Promise<Row[]> {
  const map = await bench.emptyMap(shape, 1_000_000);
  const prepare = () => bench.clear(map);
  return besideReference(bench, ({ ours, theirs }) =>
    compare(
      { case: `load-go-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
      [{ name: "LoadMap from the Go client", prepare, run: () => loadFrom(ours, map) }],
      [
        { name: "grpc-go and cilium/ebpf", prepare, run: () => loadFrom(theirs, map) },
        { name: "C loop of UPDATE_BATCH", prepare, run: () => batchLoad(map) },
      ],
      5,
    ),
  );
}

async function loadFrom(client: ClientProcess, map: BenchMap): Promise<number> {
  const { id, maxEntries, shape } = map;
  const question = { work: "load", map: id, maxEntries, shape: shape.name };
  const { seconds, written } = await client.ask<LoadAnswer>(question);
  if (written !== maxEntries) throw new Error(`the load wrote ${written} elements`);
  return seconds;
}
