import type { NumberTotals } from "@bpfmapd/client";
import type { Log2Histogram } from "@bpfmapd/client/proto";
import type { JsonWriter } from "./json-writer.js";
import type { Style } from "./style.js";
import { tableText } from "./table.js";

/** What a number comes to, under the name that the user gave it. */
export interface NamedTotals extends NumberTotals {
  readonly name: string;
}

const BAR_WIDTH = 40;

/** The totals in a table, and the histograms after it. */
export function totalsText(totals: readonly NamedTotals[], style: Style): string {
  const table = tableText(
    totals,
    [
      { title: "FIELD", cell: ({ name }) => name },
      { title: "COUNT", align: "right", cell: ({ count }) => grouped(count) },
      { title: "SUM", align: "right", cell: ({ sum }) => grouped(sum) },
      { title: "MIN", align: "right", cell: ({ min }) => grouped(min) },
      { title: "MAX", align: "right", cell: ({ max }) => grouped(max) },
    ],
    style,
  );
  const histograms = totals.map(({ name, histogram }) =>
    histogram ? `\n${style.bold(name)}\n${histogramText(histogram, style)}` : "",
  );
  return table + histograms.join("");
}

/** A number as people read it; nothing for none. */
export function grouped(number: bigint | undefined): string {
  return number === undefined ? "" : number.toLocaleString("en-US");
}

/** A line for each power of two, from the first that has numbers to the last. */
function histogramText({ negative, buckets }: Log2Histogram, style: Style): string {
  const rows = buckets.map((count, bits) => ({ range: rangeOf(bits), count }));
  if (negative > 0n) rows.unshift({ range: "below 0", count: negative });
  const shown = rows.slice(rows.findIndex(({ count }) => count > 0n));
  if (shown.every(({ count }) => count === 0n)) return `${style.dim("no numbers")}\n`;
  const most = Math.max(...shown.map(({ count }) => Number(count)));
  const barOf = (count: bigint) => "#".repeat(Math.ceil((Number(count) / most) * BAR_WIDTH));
  return tableText(
    shown,
    [
      { title: "NUMBERS", align: "right", cell: ({ range }) => range },
      { title: "COUNT", align: "right", cell: ({ count }) => grouped(count) },
      { title: "", cell: ({ count }) => style.green(barOf(count)) },
    ],
    style,
  );
}

function rangeOf(bits: number): string {
  if (bits <= 1) return String(bits);
  const from = 2n ** BigInt(bits - 1);
  return `${grouped(from)} .. ${grouped(2n * from - 1n)}`;
}

/** The totals as members of the open object's "totals". Sums may exceed what JSON's readers hold. */
export function writeTotals(json: JsonWriter, totals: readonly NamedTotals[]): void {
  json.name("totals");
  json.startArray();
  for (const { name, count, sum, min, max, histogram } of totals) {
    json.startObject();
    json.member("field", name);
    json.member("count", count);
    json.member("sum", sum);
    json.member("min", min ?? null);
    json.member("max", max ?? null);
    if (histogram) writeHistogram(json, histogram);
    json.endObject();
  }
  json.endArray();
}

function writeHistogram(json: JsonWriter, { negative, buckets }: Log2Histogram): void {
  json.name("histogram");
  json.startObject();
  json.member("negative", negative);
  json.name("buckets");
  json.startArray();
  for (const count of buckets) json.value(count);
  json.endArray();
  json.endObject();
}
