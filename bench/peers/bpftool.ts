import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { BenchMap } from "../harness/bench.js";
import { type Columns, elements } from "../harness/elements.js";
import { run } from "../harness/process.js";

/** Seconds that `bpftool -j map dump` takes, its output to /dev/null, the start of its process included. */
export async function dumpAsJson(map: BenchMap): Promise<number> {
  const { seconds } = await run("bpftool", ["-j", "map", "dump", "id", `${map.id}`], "discard");
  return seconds;
}

/** The same as text for people. */
export async function dumpAsText(map: BenchMap): Promise<number> {
  const { seconds } = await run("bpftool", ["map", "dump", "id", `${map.id}`], "discard");
  return seconds;
}

/** Seconds that `bpftool batch file` takes, the start of its process included. */
export async function batchFile(path: string): Promise<number> {
  const { seconds } = await run("bpftool", ["batch", "file", path], "discard");
  return seconds;
}

/** Writes a batch file with an update of each element of a full map. */
export async function writeBatchFile(path: string, map: BenchMap, by: "id" | "pin"): Promise<void> {
  const reference = by === "id" ? `id ${map.id}` : `pinned ${map.pinPath}`;
  const file = createWriteStream(path);
  const step = 4096;
  for (let from = 0; from < map.elements; from += step) {
    const part = elements(map.shape, from, Math.min(step, map.elements - from));
    if (!file.write(updates(reference, map, part))) await once(file, "drain");
  }
  file.end();
  await finished(file);
}

function updates(reference: string, { shape }: BenchMap, part: Columns): string {
  let text = "";
  for (let i = 0; i < part.count; i++) {
    const key = bytes(part.keys, i, shape.keySize);
    const value = bytes(part.values, i, shape.valueSize);
    text += `map update ${reference} key hex ${key} value hex ${value}\n`;
  }
  return text;
}

function bytes(column: Uint8Array, index: number, size: number): string {
  const hex = Buffer.from(column.buffer, column.byteOffset + index * size, size).toString("hex");
  return hex.replace(/..(?!$)/g, "$& ");
}
