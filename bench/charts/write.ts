import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Series } from "../growth/series.js";
import type { Row } from "../harness/row.js";
import { growthChart } from "./growth-chart.js";
import { ratioChart } from "./ratio-chart.js";

const docs = (name: string) => fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));

/** Draws rows that were measured, and returns the picture's path. */
export async function writeChart(rows: readonly Row[]): Promise<string> {
  return write(docs("performance.svg"), ratioChart(rows));
}

/** Draws how costs grow, and returns the picture's path. */
export async function writeGrowthChart(all: readonly Series[]): Promise<string> {
  return write(docs("performance-growth.svg"), growthChart(all));
}

async function write(path: string, picture: string): Promise<string> {
  await writeFile(path, picture);
  return path;
}
