import type { Bench } from "../harness/bench.js";
import { besideReference } from "../harness/beside-reference.js";
import { alternate } from "../harness/compare.js";
import { h48 } from "../harness/elements.js";
import type { ClientProcess } from "../harness/process.js";
import { amount, type Question, type Row, row } from "../harness/row.js";
import type { Case } from "./case.js";

const SECONDS = 2;
const RUNS = 5;

/** Single lookups by the Go client, of the daemon and of the reference server. */
export const goLookups: Case = {
  name: "lookups-go",
  about: "single lookups by the Go client: 1 and 64 callers, with and without batching",
  run: measure,
};

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
  /** CPU time of the server for each lookup. */
  cpu: number;
}

interface Server {
  readonly address: string;
  cpuSeconds(): Promise<number>;
}

async function measure(bench: Bench): Promise<Row[]> {
  const { id, maxEntries } = await bench.fullMap(h48, 1_000_000);
  const by = (client: ClientProcess, server: Server) => (callers: number, batching: boolean) =>
    lookups(client, server, { map: id, maxEntries, callers, batching });
  return besideReference(bench, ({ reference, ours, theirs }) =>
    rows(by(ours, bench.daemon), by(theirs, reference)),
  );
}

type Lookups = (callers: number, batching: boolean) => Promise<Run>;

async function rows(ours: Lookups, theirs: Lookups): Promise<Row[]> {
  const results = await alternate<Run>(
    [
      { name: "daemon, 1 caller", run: () => ours(1, false) },
      { name: "reference, 1 caller", run: () => theirs(1, false) },
      { name: "daemon, 64 callers", run: () => ours(64, false) },
      { name: "reference, 64 callers", run: () => theirs(64, false) },
      { name: "daemon, 64 callers, batching", run: () => ours(64, true) },
    ],
    RUNS,
    ({ p50, each, cpu }) =>
      `p50 ${amount(p50, "seconds")}, ${Math.round(1 / each)} a second, server CPU ${amount(cpu, "seconds")} each`,
  );
  const [one = [], theirOne = [], many = [], theirMany = [], batched = []] = results;
  const of = (name: string, runs: Run[], what: keyof Run) => ({
    name,
    amounts: runs.map((run) => run[what]),
  });
  const faster: Question = { case: "lookups-go", meaning: "peer / subject", unit: "seconds" };
  const slower: Question = { ...faster, meaning: "subject / peer" };
  const theirRate = of("grpc-go and cilium/ebpf, 64 callers, each", theirMany, "each");
  return [
    row(
      slower,
      of("1 caller, p50", one, "p50"),
      of("grpc-go and cilium/ebpf, 1 caller, p50", theirOne, "p50"),
    ),
    row(faster, of("64 callers, each", many, "each"), theirRate),
    row(faster, of("64 callers with batching, each", batched, "each"), theirRate),
    row(
      slower,
      of("server CPU a lookup, 64 callers", many, "cpu"),
      of("grpc-go and cilium/ebpf, 64 callers", theirMany, "cpu"),
    ),
    row(
      slower,
      of("server CPU a lookup, 64 callers with batching", batched, "cpu"),
      of("grpc-go and cilium/ebpf, 64 callers", theirMany, "cpu"),
    ),
  ];
}

async function lookups(client: ClientProcess, server: Server, question: object): Promise<Run> {
  const before = await server.cpuSeconds();
  const { lookups, seconds, p50Seconds } = await client.ask<Answer>({
    work: "lookups",
    seconds: SECONDS,
    ...question,
  });
  const cpu = ((await server.cpuSeconds()) - before) / lookups;
  return { p50: p50Seconds, each: seconds / lookups, cpu };
}
