// make bench: measures all cases, or those named, and prints a table. A run of all
// cases writes bench/results/latest.json, its chart and the figures in README.md.
// Arguments: [CASE...], each a name or a pattern with *
import type { Case } from "./cases/case.js";
import { dumpCases } from "./cases/dump.js";
import { dumpClientsCases } from "./cases/dump-clients.js";
import { dumpMemory } from "./cases/dump-memory.js";
import { dumpNetworkCases } from "./cases/dump-network.js";
import { goDumpCases } from "./cases/go-dump.js";
import { goLoadCases } from "./cases/go-load.js";
import { goLookupsCases } from "./cases/go-lookups.js";
import { loadCases } from "./cases/load.js";
import { lookupBesideDump } from "./cases/lookup-beside-dump.js";
import { lookupBesideFlood } from "./cases/lookup-beside-flood.js";
import { policyChange } from "./cases/policy-change.js";
import { records } from "./cases/records.js";
import { watchCostCases } from "./cases/watch-cost.js";
import { watchLatencyCases } from "./cases/watch-latency.js";
import { watchScanCases } from "./cases/watch-scan.js";
import { writeChart } from "./charts/write.js";
import { Bench } from "./harness/bench.js";
import { machine } from "./harness/machine.js";
import { writeReadme } from "./harness/readme.js";
import { table, writeResults } from "./harness/report.js";
import type { Row } from "./harness/row.js";

const all: Case[] = [
  ...dumpCases,
  ...goDumpCases,
  ...dumpNetworkCases,
  ...dumpClientsCases,
  ...loadCases,
  ...goLoadCases,
  ...goLookupsCases,
  lookupBesideDump,
  lookupBesideFlood,
  policyChange,
  dumpMemory,
  records,
  ...watchScanCases,
  ...watchLatencyCases,
  ...watchCostCases,
];

function chosen(patterns: string[]): Case[] {
  const fits = patterns.map((pattern) => {
    const words = pattern.split("*").map((word) => word.replace(/[^\w-]/g, "\\$&"));
    return new RegExp(`^${words.join(".*")}$`);
  });
  const unknown = patterns.filter((_, i) => !all.some(({ name }) => fits[i]?.test(name)));
  if (unknown.length > 0) {
    const known = all.map(({ name, about }) => `  ${name.padEnd(20)} ${about}`).join("\n");
    console.error(`No such case: ${unknown.join(", ")}. There are:\n${known}`);
    process.exit(2);
  }
  return patterns.length === 0 ? all : all.filter(({ name }) => fits.some((fit) => fit.test(name)));
}

async function measure(cases: Case[], bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const one of cases) {
    console.error(`\n${one.name}: ${one.about}`);
    rows.push(...(await one.run(bench)));
  }
  return rows;
}

function closeOn(signal: "SIGINT" | "SIGTERM", exitCode: number, bench: Bench): void {
  process.once(signal, async () => {
    await bench.close();
    process.exit(exitCode);
  });
}

const cases = chosen(process.argv.slice(2));
const bench = await Bench.open();
closeOn("SIGINT", 130, bench);
closeOn("SIGTERM", 143, bench);
try {
  const rows = await measure(cases, bench);
  console.log(table(rows));
  if (cases.length === all.length) {
    const facts = await machine();
    await writeReadme(rows, facts);
    const files = [await writeResults(rows, facts), await writeChart(rows)];
    console.log(`Written to README.md, ${files.join(" and ")}`);
  }
} finally {
  await bench.close();
}
