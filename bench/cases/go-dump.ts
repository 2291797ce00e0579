import type { DumpAnswer } from "../clients/dump-client.js";
import type { Bench, BenchMap } from "../harness/bench.js";
import { type BesideReference, besideReference } from "../harness/beside-reference.js";
import { type Contender, compare } from "../harness/compare.js";
import {
  array,
  h48,
  h1664,
  lpmTrie,
  lruHash,
  type MapKind,
  mmapable,
  perCpuHash,
} from "../harness/elements.js";
import type { ClientProcess } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import { dumpAsJson } from "../peers/bpftool.js";
import { batchDump } from "../peers/c-loop.js";
import type { Case } from "./case.js";

type Peer = "reference" | "rows" | "stream" | "cilium" | "iterate" | "loop" | "bpftool";

interface Dump {
  shape: MapKind;
  count: number;
  runs: number;
  /** Dumps in a run, of which the median counts. */
  times?: number;
  peers: Peer[];
}

const MILLION = 1_000_000;
const COLUMNS: Peer[] = ["reference", "cilium", "loop"];

const dumps: Dump[] = [
  ...[h48, h1664].map((shape) => ({
    ...{ shape, count: MILLION, runs: 7, peers: [...COLUMNS, "rows" as const] },
  })),
  ...[h48, h1664].flatMap((shape) =>
    [1000, 10_000, 100_000].map((count) => ({
      ...{ shape, count, runs: 7, times: Math.max(4, Math.min(50, 200_000 / count)) },
      peers: [...COLUMNS, "bpftool" as const],
    })),
  ),
  { shape: array, count: MILLION, runs: 5, peers: [...COLUMNS, "bpftool"] },
  { shape: mmapable, count: MILLION, runs: 5, times: 5, peers: ["stream", "loop", "bpftool"] },
  { shape: perCpuHash, count: MILLION, runs: 3, peers: ["iterate", "loop", "bpftool"] },
  { shape: lpmTrie, count: 100_000, runs: 5, peers: [...COLUMNS, "bpftool"] },
  { shape: lruHash, count: MILLION, runs: 5, peers: [...COLUMNS, "bpftool"] },
];

/** A whole map, read by the Go client. */
export const goDumpCases: Case[] = dumps.map((dump) => ({
  name: nameOf(dump),
  about: `dump ${inWords(dump.count)} elements of ${titleOf(dump.shape)} to the Go client`,
  run: (bench) => measure(bench, dump),
}));

function nameOf({ shape, count }: Dump): string {
  const isUsual = count === MILLION || shape === lpmTrie;
  return `dump-go-${shape.name}${isUsual ? "" : `-${count / 1000}k`}`;
}

function inWords(count: number): string {
  return count === MILLION ? "1 M" : `${count / 1000} k`;
}

function titleOf({ title, keySize, valueSize }: MapKind): string {
  return `a ${title}, ${keySize}+${valueSize} bytes,`;
}

async function measure(bench: Bench, dump: Dump): Promise<Row[]> {
  const map = await bench.fullMap(dump.shape, dump.count);
  return besideReference(bench, (all) =>
    compare(
      { case: nameOf(dump), meaning: "peer / subject", unit: "seconds" },
      [
        {
          name: "DumpMap to the Go client",
          run: () => goDump(all.ours, map, { times: dump.times }),
        },
      ],
      dump.peers.map((peer) => contender(peer, all, map, dump.times)),
      dump.runs,
    ),
  );
}

function contender(
  peer: Peer,
  { theirs, stream, kernel }: BesideReference,
  map: BenchMap,
  times = 1,
): Contender {
  switch (peer) {
    case "reference":
      return { name: "grpc-go and cilium/ebpf", run: () => goDump(theirs, map, { times }) };
    case "rows":
      return {
        name: "grpc-go, a message for each element",
        run: () => goDump(theirs, map, { times, work: "rows" }),
      };
    case "stream":
      return { name: "grpc-go, out of memory", run: () => goDump(stream, map, { times }) };
    case "cilium":
      return { name: "cilium/ebpf, BatchLookup", run: () => goDump(kernel, map, { times }) };
    case "iterate":
      return {
        name: "cilium/ebpf, Iterate",
        run: () => goDump(kernel, map, { times, work: "iterate" }),
      };
    case "loop":
      return { name: "C loop of LOOKUP_BATCH", isNew: true, run: () => batchDump(map) };
    case "bpftool":
      return { name: "bpftool -j map dump > /dev/null", isNew: true, run: () => dumpAsJson(map) };
  }
}

/** Seconds of a dump to the Go client, or by it; the median where there are more. */
export async function goDump(
  client: ClientProcess,
  map: BenchMap,
  { work = "dump", times = 1 }: { work?: "dump" | "rows" | "iterate"; times?: number } = {},
): Promise<number> {
  const { seconds, elements } = await client.ask<DumpAnswer>({ work, times, map: map.id });
  if (elements !== map.elements) throw new Error(`the dump sent ${elements} elements`);
  return seconds;
}
