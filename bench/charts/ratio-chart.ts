import type { Row } from "../harness/row.js";
import { type Headline, rowOf, sections } from "./headlines.js";
import { element, line, logScale, picture, text } from "./svg.js";

const WIDTH = 860;
const LEFT = 250;
const RIGHT = WIDTH - 90;
const LINE = 20;
const HEADING = 34;
const TOP = 70;
const TICKS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];
const GOOD = "#1a7f37";
const SHORT = "#bc4c00";
const PLAIN = "#57606a";
const at = logScale([0.02, 100], [LEFT, RIGHT]);

/** A ratio as the chart shows it: more is better. */
interface Mark {
  label: string;
  ratio: number;
  low: number;
  high: number;
  target?: number;
}

/** How much faster, or less, than each peer: docs/performance.svg. */
export function ratioChart(rows: readonly Row[]): string {
  const shown = sections
    .map(({ title, headlines }) => ({ title, marks: marksOf(headlines, rows) }))
    .filter(({ marks }) => marks.length > 0);
  const parts: string[] = [];
  let y = TOP;
  for (const { title, marks } of shown) {
    parts.push(text(16, y + 22, title, { "font-weight": 600, "font-size": 13 }));
    y += HEADING;
    for (const mark of marks) {
      parts.push(bar(mark, y));
      y += LINE;
    }
  }
  return picture(WIDTH, y + 16, "How fast bpfmapd is beside its peers", [
    ...legend(),
    ...TICKS.map((ratio) => tick(ratio, y)),
    ...parts,
  ]);
}

function marksOf(headlines: Headline[], rows: readonly Row[]): Mark[] {
  return headlines.flatMap((headline) => {
    const row = rowOf(headline, rows);
    return row === undefined ? [] : [markOf(headline, row)];
  });
}

function markOf({ label, target }: Headline, { medianRatio, spread, meaning }: Row): Mark {
  const isMore = meaning === "peer / subject";
  const turned = (ratio: number) => (isMore ? ratio : 1 / ratio);
  return {
    label,
    ratio: turned(medianRatio),
    low: turned(isMore ? spread.min : spread.max),
    high: turned(isMore ? spread.max : spread.min),
    ...(target === undefined ? {} : { target: turned(target) }),
  };
}

function bar({ label, ratio, low, high, target }: Mark, y: number): string {
  const middle = y + LINE / 2;
  const color = target === undefined ? PLAIN : ratio >= target ? GOOD : SHORT;
  const [from, to] = [at(Math.min(1, ratio)), at(Math.max(1, ratio))];
  const width = Math.max(1, to - from);
  const marks = [
    text(LEFT - 12, middle + 4, label, { "text-anchor": "end" }),
    element("rect", { x: from, y: y + 3, width, height: LINE - 6, fill: color, opacity: 0.75 }),
    line([at(low), middle], [at(high), middle], { stroke: "#24292f", "stroke-width": 1.2 }),
    text(RIGHT + 12, middle + 4, amount(ratio), { fill: color, "font-weight": 600 }),
  ];
  if (target !== undefined) marks.push(targetMark(at(target), y));
  return marks.join("\n");
}

function targetMark(x: number, y: number): string {
  return line([x, y], [x, y + LINE], { stroke: "#24292f", "stroke-width": 2.5 });
}

function tick(ratio: number, bottom: number): string {
  const x = at(ratio);
  const isOne = ratio === 1;
  const stroke = isOne ? "#24292f" : "#d8dee4";
  return [
    line([x, TOP], [x, bottom], { stroke, "stroke-width": 1 }),
    text(x, TOP - 6, `${ratio}×`, { "text-anchor": "middle", fill: PLAIN, "font-size": 11 }),
  ].join("\n");
}

function legend(): string[] {
  const swatch = (x: number, fill: string, words: string) => [
    element("rect", { x, y: 32, width: 12, height: 10, fill, opacity: 0.75 }),
    text(x + 17, 41, words, { "font-size": 11, fill: PLAIN }),
  ];
  return [
    text(16, 22, "Speed of bpfmapd as a multiple of its peers' (right of 1×: faster, or less)", {
      "font-weight": 600,
      "font-size": 14,
    }),
    ...swatch(LEFT, GOOD, "at its target"),
    ...swatch(LEFT + 110, SHORT, "short of it"),
    ...swatch(LEFT + 210, PLAIN, "no target"),
    targetMark(LEFT + 306, 27),
    text(LEFT + 314, 41, "target", { "font-size": 11, fill: PLAIN }),
    line([LEFT + 366, 37], [LEFT + 390, 37], { stroke: "#24292f", "stroke-width": 1.2 }),
    text(LEFT + 396, 41, "spread of the runs", { "font-size": 11, fill: PLAIN }),
  ];
}

function amount(ratio: number): string {
  return `${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(1)}×`;
}
