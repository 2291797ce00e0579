import type { Series } from "../growth/series.js";
import { element, line, logScale, picture, text } from "./svg.js";

const WIDTH = 940;
const PANEL = { width: 470, height: 228 };
const PLOT = { left: 58, right: 300, top: 34, bottom: 190 };
const TOP = 40;
const COLORS = ["#0969da", "#bc4c00", "#1a7f37", "#8250df"];
const GREY = "#57606a";
const COSTS = {
  seconds: "time",
  MiB: "memory of the daemon, MiB",
  cores: "CPU of the daemon, cores",
};

/** What costs more when what grows: docs/performance-growth.svg. A panel for each cause and cost. */
export function growthChart(all: readonly Series[]): string {
  const panels = new Map<string, Series[]>();
  for (const one of all) {
    const key = `${one.cause}, ${one.cost}`;
    panels.set(key, [...(panels.get(key) ?? []), one]);
  }
  const drawn = [...panels.values()].map((lines, i) =>
    element(
      "g",
      { transform: `translate(${(i % 2) * PANEL.width} ${TOP + (i >> 1) * PANEL.height})` },
      ...panel(lines),
    ),
  );
  const height = TOP + Math.ceil(panels.size / 2) * PANEL.height;
  const title = "How costs grow with what causes them (logarithmic axes; dashed: linear)";
  const heading = { "font-weight": 600, "font-size": 14 };
  return picture(WIDTH, height, title, [text(16, 24, title, heading), ...drawn]);
}

function panel(lines: Series[]): string[] {
  const points = lines.flatMap((one) => one.points);
  const [causes, costs] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const range = (numbers: number[], room: number) =>
    [Math.min(...numbers) / room, Math.max(...numbers) * room] as const;
  const xs = range(causes, 1);
  const ys = atLeastADecade(range(costs, 1.3));
  const x = logScale(xs, [PLOT.left, PLOT.right]);
  const y = logScale(ys, [PLOT.bottom, PLOT.top]);
  const [{ cause, cost }] = lines as [Series, ...Series[]];
  return [
    text(PLOT.left, 20, `${COSTS[cost]} by ${cause}`, { "font-weight": 600 }),
    ...decades(xs).map((at) => column(x(at), amount(at))),
    ...decades(ys).map((at) => gridline(y(at), cost === "seconds" ? duration(at) : amount(at))),
    linear(xs, ys, x, y),
    ...lines.flatMap((one, i) => curve(one, COLORS[i % COLORS.length]!, x, y)),
    ...labels(lines, y),
  ];
}

type Scale = (number: number) => number;

/** Where nothing grows, a narrow range would show noise. */
function atLeastADecade([low, high]: readonly [number, number]): readonly [number, number] {
  const missing = Math.max(1, Math.sqrt(10 / (high / low)));
  return [low / missing, high * missing];
}

/** The powers of ten in a range; the ends too where there is but one. */
function decades([low, high]: readonly [number, number]): number[] {
  const powers: number[] = [];
  for (let power = Math.ceil(Math.log10(low) - 1e-9); 10 ** power <= high * 1.0001; power++) {
    powers.push(Number(`1e${power}`));
  }
  return powers.length > 1
    ? powers
    : [...powers, ...powers.flatMap((at) => [at / 5, at * 5])].filter(
        (at) => at >= low && at <= high,
      );
}

function column(x: number, label: string): string {
  return [
    line([x, PLOT.top], [x, PLOT.bottom], { stroke: "#eaeef2" }),
    text(x, PLOT.bottom + 16, label, { "text-anchor": "middle", "font-size": 10, fill: GREY }),
  ].join("\n");
}

function gridline(y: number, label: string): string {
  return [
    line([PLOT.left, y], [PLOT.right, y], { stroke: "#eaeef2" }),
    text(PLOT.left - 6, y + 4, label, { "text-anchor": "end", "font-size": 10, fill: GREY }),
  ].join("\n");
}

/** The steepness of what is linear, dashed, from the upper right corner. */
function linear(
  xs: readonly [number, number],
  ys: readonly [number, number],
  x: Scale,
  y: Scale,
): string {
  const from = Math.max(xs[0], (xs[1] * ys[0]) / ys[1]);
  const start: [number, number] = [x(from), y((ys[1] * from) / xs[1])];
  const dashed = { stroke: "#8c959f", "stroke-dasharray": "3 4" };
  return line(start, [x(xs[1]), y(ys[1])], dashed);
}

function curve({ points }: Series, stroke: string, x: Scale, y: Scale): string[] {
  const places = points.map(([cause, cost]) => [x(cause), y(cost)] as const);
  const path = places.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
  return [
    element("polyline", { points: path, fill: "none", stroke, "stroke-width": 2 }),
    ...places.map(([cx, cy]) => element("circle", { cx, cy, r: 3, fill: stroke })),
  ];
}

/** Beside the ends of the lines, pushed apart where these are close. */
function labels(lines: Series[], y: Scale): string[] {
  const ends = lines
    .map(({ name, lastExponent, points }, i) => ({
      words: name,
      growth: `∝ n^${lastExponent.toFixed(2)} at the end`,
      fill: COLORS[i % COLORS.length]!,
      at: y(points.at(-1)?.[1] ?? 1),
    }))
    .sort((a, b) => a.at - b.at);
  let free = PLOT.top - 4;
  for (const end of ends) {
    end.at = Math.max(end.at, free);
    free = end.at + 28;
  }
  const over = Math.max(0, free - 28 - (PLOT.bottom - 8));
  return ends.flatMap(({ words, growth, fill, at }) => [
    text(PLOT.right + 10, at - over, words, { fill, "font-size": 10, "font-weight": 600 }),
    text(PLOT.right + 10, at - over + 12, growth, { fill: GREY, "font-size": 10 }),
  ]);
}

function amount(number: number): string {
  if (number >= 1e6) return `${number / 1e6} M`;
  return number >= 1000 ? `${number / 1000} k` : `${number}`;
}

function duration(seconds: number): string {
  if (seconds < 1e-3) return `${Math.round(seconds * 1e6)} µs`;
  return seconds < 1 ? `${Math.round(seconds * 1e3)} ms` : `${seconds} s`;
}
