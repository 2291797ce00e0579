// make bench-guard: fails where work costs a third more than it did when
// bench/results/guard.json was written, beside a peer that does the same in alternation.
//
// What counts is the CPU time of server and client together, as a part of the peer's. There are
// no counters of instructions in most virtual machines, and wall time follows whoever else
// wants the CPUs: with two busy loops on two cores, median ratios of wall time fell by a third
// and more (a Node client's dump from 1.02 to 0.66, a load from 1.10 to 0.73), while those of
// CPU time stayed within a quarter, and of single runs most within a tenth.
// Arguments: [--update], which writes bench/results/guard.json instead of comparing with it
import Table from "cli-table3";
import { type Check, openChecks } from "./guard/checks.js";
import { hasFallen, lowestOf, readTable, writeTable } from "./guard/table.js";
import { Bench } from "./harness/bench.js";
import { besideReference } from "./harness/beside-reference.js";
import { compare } from "./harness/compare.js";
import type { Row } from "./harness/row.js";

const RUNS = 5;
/** Where a check fails, so many with a new daemon decide. */
const RUNS_AGAIN = 11;
/** Daemons that are measured for the table. */
const DAEMONS = 3;

async function measure({ name, subject, peer }: Check, runs: number): Promise<Row> {
  console.error(`\n${name}`);
  const question = { case: name, meaning: "peer / subject", unit: "seconds" } as const;
  const [row] = await compare(question, [subject], [peer], runs);
  return row!;
}

function show(rows: Row[], table: Map<string, number>): void {
  const lines = new Table({
    head: ["CPU, peer / subject", "committed", "check", "spread", "runs", "against"],
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    const { min, max } = row.spread;
    lines.push([
      `${row.medianRatio.toFixed(2)}${hasFallen(row, table) ? " has fallen" : ""}`,
      table.get(row.case)?.toFixed(2),
      row.case,
      `${min.toFixed(2)}–${max.toFixed(2)}`,
      row.runs,
      row.peer,
    ]);
  }
  console.log(lines.toString());
}

/** Measures checks with a daemon of their own: all of them, or those named. */
async function withNewDaemon(runs: number, names?: string[]): Promise<Row[]> {
  const bench = await Bench.open();
  const end = () => void bench.close().then(() => process.exit(1));
  process.once("SIGINT", end).once("SIGTERM", end);
  try {
    return await besideReference(bench, async (beside) => {
      const checks = await openChecks(bench, beside);
      try {
        const rows: Row[] = [];
        for (const check of checks.all) {
          if (names?.includes(check.name) !== false) rows.push(await measure(check, runs));
        }
        return rows;
      } finally {
        await checks.close();
      }
    });
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
    await bench.close();
  }
}

async function guard(): Promise<boolean> {
  const table = await readTable();
  const rows = await withNewDaemon(RUNS);
  const fallen = rows.filter((row) => hasFallen(row, table)).map((row) => row.case);
  const again = fallen.length === 0 ? [] : await withNewDaemon(RUNS_AGAIN, fallen);
  const decided = rows.map((row) => again.find((other) => other.case === row.case) ?? row);
  show(decided, table);
  return !decided.some((row) => hasFallen(row, table));
}

async function update(): Promise<void> {
  const daemons: Row[][] = [];
  for (let i = 0; i < DAEMONS; i++) daemons.push(await withNewDaemon(RUNS));
  console.log(`Written to ${await writeTable(lowestOf(daemons))}`);
}

if (process.argv.includes("--update")) await update();
else if (!(await guard())) process.exitCode = 1;
