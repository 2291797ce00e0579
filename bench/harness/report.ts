import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import type { Machine } from "./machine.js";
import { amount, type Row } from "./row.js";

/** bench/results/latest.json. */
export const latest = fileURLToPath(new URL("../../results/latest.json", import.meta.url));

/** The rows as a table for people, the ratio first. */
export function table(rows: Row[]): string {
  const lines = new Table({
    head: ["ratio", "spread", "runs", "case", "subject", "took", "peer", "took", "ratio is"],
    colAligns: ["right", "right", "right", "left", "left", "right", "left", "right", "left"],
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    lines.push([
      row.medianRatio.toFixed(2),
      `${row.spread.min.toFixed(2)}–${row.spread.max.toFixed(2)}`,
      row.runs,
      row.case,
      row.subject,
      amount(row.subjectMedian, row.unit),
      row.peer,
      amount(row.peerMedian, row.unit),
      row.meaning,
    ]);
  }
  return lines.toString();
}

/** Writes bench/results/latest.json and returns its path. */
export async function writeResults(rows: Row[], machine: Machine): Promise<string> {
  await mkdir(dirname(latest), { recursive: true });
  const date = new Date().toISOString().slice(0, 10);
  const results = { date, machine, rows: rows.map(asWritten) };
  await writeFile(latest, `${JSON.stringify(results, null, 2)}\n`);
  return latest;
}

/** The unit stands in the names of the medians, as everywhere in the API. */
function asWritten({ unit, subjectMedian, peerMedian, ...row }: Row): object {
  const suffix = unit === "MiB" ? unit : `${unit[0]?.toUpperCase()}${unit.slice(1)}`;
  return {
    ...row,
    [`subjectMedian${suffix}`]: subjectMedian,
    [`peerMedian${suffix}`]: peerMedian,
  };
}
