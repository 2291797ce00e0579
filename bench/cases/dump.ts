import type { DumpAnswer } from "../clients/dump-client.js";
import type { Bench, BenchMap } from "../harness/bench.js";
import { compare } from "../harness/compare.js";
import { h48, h1664, type MapKind } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import { dumpAsJson, dumpAsText } from "../peers/bpftool.js";
import { batchDump } from "../peers/c-loop.js";
import type { Case } from "./case.js";
import { goDump } from "./go-dump.js";

/** A whole hash map of a million elements, read by another process, beside the slow peers. */
export const dumpCases: Case[] = [h48, h1664].flatMap((shape) => [
  {
    name: `dump-${shape.name}`,
    about: `dump 1 M elements, ${shape.keySize}+${shape.valueSize} bytes, beside bpftool -j`,
    run: (bench: Bench) => dump(bench, shape),
  },
  {
    name: `dump-text-${shape.name}`,
    about: `the same beside bpftool without -j, and cilium/ebpf element by element`,
    run: (bench: Bench) => dumpText(bench, shape),
  },
]);

async function dump(bench: Bench, shape: MapKind): Promise<Row[]> {
  const map = await bench.fullMap(shape, 1_000_000);
  const node = await startClient(bench, map);
  const go = await ClientProcess.startGo(bench.daemon);
  try {
    return await compare(
      { case: `dump-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
      [
        { name: "DumpMap to the Go client", run: () => goDump(go, map) },
        { name: "DumpMap to a Node client", run: () => dumpTo(node, map) },
        { name: "first DumpMap of a new process", isNew: true, run: () => firstDump(bench, map) },
      ],
      [
        { name: "bpftool -j map dump > /dev/null", isNew: true, run: () => dumpAsJson(map) },
        { name: "C loop of LOOKUP_BATCH", isNew: true, run: () => batchDump(map) },
      ],
      5,
    );
  } finally {
    await Promise.all([node.stop(), go.stop()]);
  }
}

async function dumpText(bench: Bench, shape: MapKind): Promise<Row[]> {
  const map = await bench.fullMap(shape, 1_000_000);
  const go = await ClientProcess.startGo(bench.daemon);
  const kernel = await ClientProcess.startGo("kernel");
  const iterate = () => goDump(kernel, map, { work: "iterate" });
  try {
    return await compare(
      { case: `dump-text-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
      [{ name: "DumpMap to the Go client", run: () => goDump(go, map) }],
      [
        { name: "bpftool map dump > /dev/null", isNew: true, run: () => dumpAsText(map) },
        { name: "cilium/ebpf, Iterate", isNew: true, run: iterate },
      ],
      3,
    );
  } finally {
    await Promise.all([go.stop(), kernel.stop()]);
  }
}

function startClient(bench: Bench, map: BenchMap): Promise<ClientProcess> {
  return ClientProcess.start("dump-client", [bench.daemon.address, `${map.id}`]);
}

/** Seconds of a dump to a client that was started for the map. */
export async function dumpTo(client: ClientProcess, map: BenchMap): Promise<number> {
  const { seconds, elements } = await client.ask<DumpAnswer>({ times: 1 });
  if (elements !== map.elements) throw new Error(`the dump sent ${elements} elements`);
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
