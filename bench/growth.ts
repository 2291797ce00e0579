// make bench-growth: how costs grow with their causes, fitted, drawn and judged. Writes
// bench/results/growth.json and docs/performance-growth.svg, where causes that are not
// measured this time stay as they are.
// Arguments: [CAUSE...]
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { writeGrowthChart } from "./charts/write.js";
import { concurrentDumps } from "./growth/concurrent-dumps.js";
import { elementGrowths } from "./growth/elements.js";
import type { Growth } from "./growth/growth.js";
import { hostMaps } from "./growth/host-maps.js";
import { isWorseThanLinear, type Series } from "./growth/series.js";
import { watchers } from "./growth/watchers.js";
import { Bench } from "./harness/bench.js";
import { machine } from "./harness/machine.js";

const all: Growth[] = [...elementGrowths, hostMaps, watchers, concurrentDumps];
const results = fileURLToPath(new URL("../results/growth.json", import.meta.url));

function chosen(names: string[]): Growth[] {
  const unknown = names.filter((name) => !all.some((one) => one.name === name));
  if (unknown.length > 0) {
    const known = all.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`).join("\n");
    console.error(`No such cause: ${unknown.join(", ")}. There are:\n${known}`);
    process.exit(2);
  }
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

function table(measured: Series[]): string {
  const lines = new Table({
    head: ["work", "cause", "cost", "from", "to", "exponent", "at the end", ""],
    style: { head: [], border: [], compact: true },
  });
  for (const one of measured) {
    const { name, cause, cost, points, exponent, lastExponent } = one;
    const ends = [points[0], points.at(-1)].map((point) => `${point?.[1]} at ${point?.[0]}`);
    const verdict = isWorseThanLinear(one) ? "worse than linear" : "";
    lines.push([name, cause, cost, ...ends, exponent, lastExponent, verdict]);
  }
  return lines.toString();
}

async function write(measured: Series[]): Promise<void> {
  const causes = new Set(measured.map(({ cause }) => cause));
  const before = JSON.parse(await readFile(results, "utf8").catch(() => `{"series":[]}`));
  const others = (before.series as Series[]).filter(({ cause }) => !causes.has(cause));
  const date = new Date().toISOString().slice(0, 10);
  const series = [...others, ...measured].sort((a, b) => a.cause.localeCompare(b.cause));
  const written = { date, machine: await machine(), series };
  await writeFile(results, `${JSON.stringify(written, null, 2)}\n`);
  console.log(`Written to ${results} and ${await writeGrowthChart(series)}`);
}

const growths = chosen(process.argv.slice(2));
const bench = await Bench.open();
const end = () => void bench.close().then(() => process.exit(1));
process.once("SIGINT", end).once("SIGTERM", end);
try {
  const measured: Series[] = [];
  for (const growth of growths) {
    console.error(`\n${growth.name}: ${growth.about}`);
    measured.push(...(await growth.run(bench)));
  }
  console.log(table(measured));
  await write(measured);
} finally {
  await bench.close();
}
