import type { DumpAnswer } from "../clients/dump-client.js";
import type { Bench, BenchMap } from "../harness/bench.js";
import { besideReference } from "../harness/beside-reference.js";
import { compare } from "../harness/compare.js";
import { type ElementShape, h48, h1664 } from "../harness/elements.js";
import type { ClientProcess } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import { dumpAsJson } from "../peers/bpftool.js";
import { batchDump } from "../peers/c-loop.js";
import type { Case } from "./case.js";

/** A whole hash map of a million elements, read by the Go client. */
export const goDumpCases: Case[] = [h48, h1664].map((shape) => ({
  name: `dump-go-${shape.name}`,
  about: `dump 1 M elements to the Go client, ${shape.keySize}+${shape.valueSize} bytes`,
  run: (bench) => measure(bench, shape),
}));

async function measure(bench: Bench, shape: ElementShape): Promise<Row[]> {
  const map = await bench.fullMap(shape, 1_000_000);
  return besideReference(bench, ({ ours, theirs }) =>
    compare(
      { case: `dump-go-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
      [{ name: "DumpMap to the Go client", run: () => goDump(ours, map) }],
      [
        { name: "grpc-go and cilium/ebpf", run: () => goDump(theirs, map) },
        { name: "C loop of LOOKUP_BATCH", run: () => batchDump(map) },
        { name: "bpftool -j map dump > /dev/null", run: () => dumpAsJson(map) },
      ],
      7,
    ),
  );
}

/** Seconds of a dump to the Go client. */
export async function goDump(client: ClientProcess, map: BenchMap): Promise<number> {
  const question = { work: "dump", map: map.id, shape: map.shape.name };
  const { seconds, elements } = await client.ask<DumpAnswer>(question);
  if (elements !== map.maxEntries) throw new Error(`the dump sent ${elements} elements`);
  return seconds;
}
