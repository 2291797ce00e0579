import type { Map as BpfMap } from "@bpfmapd/client/proto";
import type { CliContext } from "../context.js";
import { HEX } from "../format/hex.js";
import { jsonText } from "../format/json-writer.js";
import { isPerCpu, mapTypeName } from "../grammar/map-type.js";
import { nameOf } from "../maps.js";
import type { Rate } from "./rate-table.js";
import { Screen } from "./screen.js";

/** One measurement. */
export interface Measurement {
  readonly map: BpfMap;
  readonly rates: readonly Rate[];
  readonly elements: number;
  readonly at: Date;
  /** Between this measurement and the one before, in milliseconds. */
  readonly elapsedMs: number;
}

const BAR_WIDTH = 20;
/** Lines over the rows: the map, a summary, a blank line and the titles. */
const HEAD_LINES = 4;

/** Shows measurements: in place on a terminal, one after the other otherwise. */
export class TopView {
  readonly #context: CliContext;
  readonly #limit: number | undefined;
  readonly #screen: Screen | undefined;
  #isFirst = true;
  #shown: readonly string[] = [];
  #shownAt = "";

  /** @param limit most rows; as many as a terminal shows, or 20, where undefined */
  constructor(context: CliContext, limit: number | undefined, inPlace: boolean) {
    this.#context = context;
    this.#limit = limit;
    this.#screen = inPlace ? new Screen(context.out) : undefined;
  }

  async show(measurement: Measurement): Promise<void> {
    const { json, out, terminalSize } = this.#context;
    const size = this.#screen && terminalSize();
    const fitting = size ? Math.max(1, size.rows - HEAD_LINES) : 20;
    const rates = measurement.rates.slice(
      0,
      Math.min(this.#limit ?? fitting, size ? fitting : Number.POSITIVE_INFINITY),
    );
    if (json) {
      await out.write(measurementJson(measurement, rates));
      return;
    }
    const lines = this.#lines(measurement, rates, size?.columns);
    this.#shown = lines;
    this.#shownAt = clock(measurement.at);
    if (this.#screen) await this.#screen.draw(lines);
    else await out.write(`${this.#isFirst ? "" : "\n"}${lines.join("\n")}\n`);
    this.#isFirst = false;
  }

  /** Tells that what is shown is no longer so. */
  async lose(why: string): Promise<void> {
    const { style, terminalSize } = this.#context;
    if (!this.#screen || this.#shown.length === 0) {
      this.#context.note(`-- ${why}`);
      return;
    }
    const [head = "", , ...rest] = this.#shown;
    const line = cut(`since ${this.#shownAt}: ${why}`, terminalSize()?.columns);
    await this.#screen.draw([head, style.red(line), ...rest]);
  }

  /** Gives the terminal back as it was. */
  async close(): Promise<void> {
    await this.#screen?.leave();
  }

  #lines(measurement: Measurement, rates: readonly Rate[], columns: number | undefined): string[] {
    const { style } = this.#context;
    const { map, elements, at, elapsedMs } = measurement;
    const total = measurement.rates.reduce((sum, { perSecond }) => sum + perSecond, 0);
    const head = [
      `${nameOf(map)}  ${mapTypeName(map.type) ?? "map"}`,
      [
        `${grouped(elements)} elements`,
        `${grouped(measurement.rates.length)} changed`,
        `total ${rateText(total)}/s`,
        `over ${(elapsedMs / 1000).toFixed(1)} s`,
        clock(at),
      ].join("  "),
      "",
    ].map((line) => cut(line, columns));
    if (rates.length === 0)
      return [style.bold(head[0]!), ...head.slice(1), style.dim("nothing changed")];
    const most = Math.abs(rates[0]!.perSecond);
    const cells = rates.map(({ key, value, perSecond }) => ({
      rate: rateText(perSecond),
      value: value.toLocaleString("en-US"),
      bar: bar(Math.abs(perSecond) / most),
      key: Array.from(key, (byte) => HEX[byte]).join(" "),
    }));
    const rateWidth = Math.max(6, ...cells.map(({ rate }) => rate.length));
    const valueWidth = Math.max(5, ...cells.map(({ value }) => value.length));
    const keyWidth = columns && columns - rateWidth - valueWidth - BAR_WIDTH - 6;
    const row = (rate: string, bars: string, value: string, key: string) =>
      `${rate.padStart(rateWidth)}  ${bars}  ${value.padStart(valueWidth)}  ${key}`;
    return [
      style.bold(head[0]!),
      ...head.slice(1),
      style.bold(row("RATE/s", " ".repeat(BAR_WIDTH), isPerCpu(map.type) ? "SUM" : "VALUE", "KEY")),
      ...cells.map(({ rate, value, bar: filled, key }) =>
        row(rate, style.green(filled), value, cut(key, keyWidth)),
      ),
    ];
  }
}

function measurementJson({ map, elements, at, elapsedMs }: Measurement, rates: readonly Rate[]) {
  return jsonText(false, (json) => {
    json.startObject();
    json.member("time", at.toISOString());
    json.member("map_id", map.id);
    json.member("elements", elements);
    json.member("elapsed_ms", elapsedMs);
    json.name("top");
    json.startArray();
    for (const { key, value, perSecond } of rates) {
      json.startObject();
      json.name("key");
      json.bytes(key);
      json.member("value", value);
      json.member("rate", Math.round(perSecond * 1000) / 1000);
      json.endObject();
    }
    json.endArray();
    json.endObject();
  });
}

function clock(time: Date): string {
  return time.toTimeString().slice(0, 8);
}

function bar(share: number): string {
  const filled = Math.max(1, Math.round(share * BAR_WIDTH));
  return "#".repeat(filled).padEnd(BAR_WIDTH);
}

function rateText(perSecond: number): string {
  const digits = Math.abs(perSecond) < 100 ? 1 : 0;
  return perSecond.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** A line that fits the terminal. */
function cut(line: string, columns: number | undefined): string {
  if (columns === undefined || line.length <= columns) return line;
  return `${line.slice(0, Math.max(0, columns - 1))}…`;
}
