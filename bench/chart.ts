// Draws docs/performance.svg from bench/results/latest.json, as make bench does at its end.
import { readFile } from "node:fs/promises";
import { writeChart } from "./charts/write.js";
import { latest } from "./harness/report.js";

const { rows } = JSON.parse(await readFile(latest, "utf8"));
console.log(`Written to ${await writeChart(rows)}`);
