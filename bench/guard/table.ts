import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Row } from "../harness/row.js";

const file = fileURLToPath(new URL("../../results/guard.json", import.meta.url));

/** A fall of more than a quarter fails. */
const LOWEST_PART = 0.75;

/** The committed ratios, by the name of the check. */
export async function readTable(): Promise<Map<string, number>> {
  const { rows } = JSON.parse(await readFile(file, "utf8")) as { rows: Row[] };
  return new Map(rows.map((row) => [row.case, row.medianRatio]));
}

/**
 * The lowest ratio of each check. Daemons differ by a third in what a load costs them for as long as
 * they live, and why is not known: the table is to hold for each.
 */
export function lowestOf(daemons: Row[][]): Row[] {
  return (daemons[0] ?? []).map(({ case: name }) => {
    const rows = daemons.flat().filter((row) => row.case === name);
    return rows.reduce((lowest, row) => (row.medianRatio < lowest.medianRatio ? row : lowest));
  });
}

/** Makes what was measured the table to keep to, and returns its path. */
export async function writeTable(rows: Row[]): Promise<string> {
  const date = new Date().toISOString().slice(0, 10);
  await writeFile(file, `${JSON.stringify({ date, rows }, null, 2)}\n`);
  return file;
}

export function hasFallen({ case: name, medianRatio }: Row, table: Map<string, number>): boolean {
  const committed = table.get(name);
  if (committed === undefined)
    throw new Error(`${file} has no row ${name}: make bench-guard UPDATE=yes`);
  return medianRatio < committed * LOWEST_PART;
}
