import type { Bench, BenchMap } from "../harness/bench.js";
import { type BesideReference, besideReference } from "../harness/beside-reference.js";
import { alternate } from "../harness/compare.js";
import { h48 } from "../harness/elements.js";
import { startNetwork } from "../harness/network.js";
import { ClientProcess } from "../harness/process.js";
import { amount, type Row, row } from "../harness/row.js";
import type { Case } from "./case.js";

const SECONDS = 1;
const RUNS = 7;

/** Single lookups among a million elements, by the Go client. */
export const goLookupsCases: Case[] = [
  ...[1, 8, 64].map((callers) => ({
    name: `lookups-go-${callers}`,
    about: `single lookups by the Go client, ${callersOf(callers)}, with and without batching`,
    run: async (bench: Bench) => {
      const map = await bench.fullMap(h48, 1_000_000);
      return besideReference(bench, (all) =>
        measure(`lookups-go-${callers}`, map, contenders(bench, all), [callers]),
      );
    },
  })),
  ...(["tcp", "tls"] as const).map((transport) => ({
    name: `lookups-${transport}`,
    about: `single lookups by the Go client over ${transport === "tls" ? "TLS" : "plain TCP"}, 1 and 64 callers`,
    run: (bench: Bench) => measureNetwork(bench, transport),
  })),
];

/** What the Go client tells of a run. */
interface Answer {
  lookups: number;
  seconds: number;
  p50Seconds: number;
}

/** A run, with the server's side of it. */
interface Run {
  /** Median time of one lookup, as its caller sees it. */
  p50: number;
  /** Wall time of the run for each lookup: the inverse of the rate. */
  each: number;
  /** CPU time for each lookup, of the server, or of the process that needs none. */
  cpu: number;
}

/** One that makes lookups, and whose CPU time counts. */
interface Party {
  name: string;
  client: ClientProcess;
  server: { cpuSeconds(): Promise<number> };
  /** Whether the client gathers calls. */
  batching?: boolean;
}

function contenders(bench: Bench, { ours, theirs, kernel, reference }: BesideReference): Party[] {
  return [
    { name: "the daemon", client: ours, server: bench.daemon },
    { name: "the daemon, batching", client: ours, server: bench.daemon, batching: true },
    { name: REFERENCE, client: theirs, server: reference },
    { name: "cilium/ebpf, no server", client: kernel, server: kernel },
  ];
}

const REFERENCE = "grpc-go and cilium/ebpf";

async function measureNetwork(bench: Bench, transport: "tcp" | "tls"): Promise<Row[]> {
  const map = await bench.fullMap(h48, 1_000_000);
  const { daemon, ours, theirs, stop } = await startNetwork(bench);
  const client = await ClientProcess.startGo(ours[transport]);
  const other = await ClientProcess.startGo(theirs[transport]);
  try {
    const parties = [
      { name: "the daemon", client, server: daemon },
      { name: REFERENCE, client: other, server: theirs[transport] },
    ];
    return await measure(`lookups-${transport}`, map, parties, [1, 64]);
  } finally {
    await Promise.all([client.stop(), other.stop()]);
    await stop();
  }
}

/** What is compared: of one caller the time until its answer, of many their rate, of all the CPU. */
async function measure(
  name: string,
  map: BenchMap,
  parties: Party[],
  callerCounts: number[],
): Promise<Row[]> {
  const ways = callerCounts.flatMap((callers) =>
    parties
      .filter(({ batching }) => callers > 1 || batching !== true)
      .map((party) => ({ ...party, callers, label: `${party.name}, ${callersOf(callers)}` })),
  );
  const results = await alternate<Run>(
    ways.map((way) => ({ name: way.label, run: () => lookups(way, map) })),
    RUNS,
    ({ p50, each, cpu }) =>
      `p50 ${amount(p50, "seconds")}, ${Math.round(1 / each)} a second, CPU ${amount(cpu, "seconds")} each`,
  );
  const of = (index: number, what: keyof Run, more: string) => ({
    name: `${ways[index]?.label}${more}`,
    amounts: (results[index] ?? []).map((run) => run[what]),
  });
  const rows: Row[] = [];
  for (const [subject, way] of ways.entries()) {
    if (!way.name.startsWith("the daemon")) continue;
    for (const [peer, { callers, name: peerName }] of ways.entries()) {
      if (callers !== way.callers || peerName.startsWith("the daemon")) continue;
      const question = { case: name, unit: "seconds" } as const;
      rows.push(
        callers === 1
          ? row(
              { ...question, meaning: "subject / peer" },
              of(subject, "p50", ", p50"),
              of(peer, "p50", ", p50"),
            )
          : row(
              { ...question, meaning: "peer / subject" },
              of(subject, "each", ", each"),
              of(peer, "each", ", each"),
            ),
      );
      if (peerName === REFERENCE) {
        const cpu = (index: number) => of(index, "cpu", ", server CPU a lookup");
        rows.push(row({ ...question, meaning: "subject / peer" }, cpu(subject), cpu(peer)));
      }
    }
  }
  return rows;
}

function callersOf(callers: number): string {
  return callers === 1 ? "1 caller" : `${callers} callers`;
}

async function lookups(
  { client, server, batching = false, callers }: Party & { callers: number },
  { id, elements }: BenchMap,
): Promise<Run> {
  const before = await server.cpuSeconds();
  const question = { map: id, maxEntries: elements, callers, batching, seconds: SECONDS };
  const { lookups, seconds, p50Seconds } = await client.ask<Answer>({
    work: "lookups",
    ...question,
  });
  const cpu = ((await server.cpuSeconds()) - before) / lookups;
  return { p50: p50Seconds, each: seconds / lookups, cpu };
}
