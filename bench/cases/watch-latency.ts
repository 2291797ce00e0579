import type { LatencyAnswer, LatencyQuestion } from "../clients/latency-client.js";
import type { Bench } from "../harness/bench.js";
import { alternate } from "../harness/compare.js";
import { h48 } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import type { Quantiles } from "../harness/quantiles.js";
import { amount, boundRow, type Row, row } from "../harness/row.js";
import type { Case } from "./case.js";

/** How long a change takes to reach a subscriber, by who makes it and where it is learnt from. */
export const watchLatencyCases: Case[] = [
  {
    name: "watch-latency",
    about: "time from a change to its event, where the daemon learns of it at once",
    run: (bench) => measure(bench, "watch-latency", AT_ONCE_WAYS),
  },
  {
    name: "watch-latency-polled",
    about: "time from a change by others to its event, where the map is polled",
    run: (bench) => measure(bench, "watch-latency-polled", POLLED_WAYS),
  },
];

const ELEMENTS = 10_000;
const POLL_MS = 100;

interface Way {
  name: string;
  bound: { quantile: keyof Quantiles; seconds: number };
  question: LatencyQuestion;
}

const AT_ONCE: Way["bound"] = { quantile: "p50", seconds: 0.01 };
const UNPOLLED = { pollIntervalMs: 10_000, changes: 200, maxPauseMs: 10 };

const WRITERS = { bpf: "bpf(2)", program: "a BPF program", bpftool: "bpftool" };

const AT_ONCE_WAYS: Way[] = [
  {
    name: "by the service",
    bound: AT_ONCE,
    question: { by: "service", source: "poll", ...UNPOLLED },
  },
  {
    name: "by bpf(2), best source",
    bound: AT_ONCE,
    question: { by: "bpf", source: "best", ...UNPOLLED },
  },
];

const POLLED_WAYS: Way[] = (["bpf", "program", "bpftool"] as const).map((by) => ({
  name: `by ${WRITERS[by]}, polled every ${POLL_MS} ms`,
  // The interval and a scan, which takes a few milliseconds of so few elements.
  bound: { quantile: "p90" as const, seconds: POLL_MS / 1000 + 0.005 },
  question: {
    ...{ by, source: "poll" as const, pollIntervalMs: POLL_MS },
    ...{ changes: 40, maxPauseMs: POLL_MS },
  },
}));

async function measure(bench: Bench, name: string, ways: Way[]): Promise<Row[]> {
  const clients: ClientProcess[] = [];
  try {
    // A map for each way: one that is traced for a subscriber is traced for all.
    for (const _ of ways) clients.push(await startClient(bench));
    const results = await alternate(
      ways.map(({ name, question }, number) => ({
        name,
        run: () => clients[number]!.ask<LatencyAnswer>(question),
      })),
      3,
      ({ source, latency }) => `${source}: ${shown(latency)}`,
    );
    return ways.flatMap((way, number) => rowsOf(name, way, results[number] ?? []));
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
  }
}

async function startClient(bench: Bench): Promise<ClientProcess> {
  const { id } = await bench.emptyMap(h48, ELEMENTS);
  const numbers = [id, h48.keySize, h48.valueSize, ELEMENTS].map(String);
  return ClientProcess.start("latency-client", [bench.daemon.address, ...numbers]);
}

function shown({ p50, p90, p99 }: Quantiles): string {
  const [a, b, c] = [p50, p90, p99].map((taken) => amount(taken, "seconds"));
  return `p50 ${a}, p90 ${b}, p99 ${c}`;
}

/** The median beside its bound, and the tail beside the median. */
function rowsOf(caseName: string, { name, bound }: Way, answers: LatencyAnswer[]): Row[] {
  const source = answers[0]?.source ?? "poll";
  const of = (quantile: keyof Quantiles) => ({
    name: `${quantile} ${name} (${source})`,
    amounts: answers.map(({ latency }) => latency[quantile]),
  });
  const question = { case: caseName, unit: "seconds" } as const;
  const bounded = boundRow(question, of(bound.quantile), bound.seconds);
  const others = (["p50", "p90", "p99"] as const)
    .filter((quantile) => quantile !== bound.quantile)
    .map((quantile) =>
      row({ ...question, meaning: "subject / peer" }, of(quantile), of(bound.quantile)),
    );
  return [bounded, ...others];
}
