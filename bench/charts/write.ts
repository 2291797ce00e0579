import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Row } from "../harness/row.js";
import { ratioChart } from "./ratio-chart.js";

const chart = fileURLToPath(new URL("../../../docs/performance.svg", import.meta.url));

/** Draws rows that were measured, and returns the picture's path. */
export async function writeChart(rows: readonly Row[]): Promise<string> {
  await writeFile(chart, ratioChart(rows));
  return chart;
}
