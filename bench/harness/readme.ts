import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Machine } from "./machine.js";
import { amount, type Row } from "./row.js";

const readme = fileURLToPath(new URL("../../../README.md", import.meta.url));
const begin = "<!-- begin: written by make bench -->";
const end = "<!-- end: written by make bench -->";

/** Writes the figures into the README, so that they are those of bench/results/latest.json. */
export async function writeReadme(rows: Row[], machine: Machine): Promise<void> {
  const text = await readFile(readme, "utf8");
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md has no lines "${begin}" and "${end}"`);
  const figures = `${begin}\n${markdown(rows, machine)}\n`;
  await writeFile(readme, text.slice(0, from) + figures + text.slice(to));
}

function markdown(rows: Row[], machine: Machine): string {
  const lines = rows.map((row) => {
    const { min, max } = row.spread;
    const ratio = `**${row.medianRatio.toFixed(2)}** (${min.toFixed(2)}–${max.toFixed(2)})`;
    const ours = `${row.subject}: ${amount(row.subjectMedian, row.unit)}`;
    const theirs = `${row.peer}: ${amount(row.peerMedian, row.unit)}`;
    return `| ${ratio} | ${row.meaning} | ${row.case} | ${ours} | ${theirs} |`;
  });
  return [
    "| ratio (spread) | of | case | subject | peer |",
    "| ---: | --- | --- | --- | --- |",
    ...lines,
    "",
    `Linux ${machine.kernel}, Node.js ${machine.node}, ${machine.bpftool}, ${machine.cpus} CPUs (${machine.cpuModel}).`,
  ].join("\n");
}
