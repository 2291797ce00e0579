/** One sample: its name with its suffix, labels and value. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with all its samples. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary" | "untyped";
  readonly help: string;
  readonly samples: Sample[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"`;
const SAMPLE = new RegExp(
  String.raw`^(${NAME})(?:\{(${LABEL}(?:,${LABEL})*)\})? ([-+]?(?:[0-9.]+(?:e[-+]?[0-9]+)?|Inf)|NaN)$`,
);
const SUFFIXES = { histogram: ["_bucket", "_sum", "_count"], summary: ["", "_sum", "_count"] };

/**
 * Parses Prometheus' text format 0.0.4. Strict: throws for whatever is not in the format, for
 * samples apart from their metric, series that come twice, and histograms that do not add up.
 */
export class Exposition {
  readonly families = new Map<string, Family>();

  constructor(text: string) {
    if (!text.endsWith("\n")) throw new Error("the last line does not end");
    let family: Family | undefined;
    let help: { name: string; text: string } | undefined;
    for (const line of text.split("\n")) {
      if (line === "") continue;
      if (line.startsWith("# HELP ")) {
        const [, name = "", words = ""] = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(line) ?? [];
        if (name === "") throw new Error(`no help: ${line}`);
        help = { name, text: words };
      } else if (line.startsWith("# TYPE ")) {
        const match = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`).exec(line);
        if (!match || !help || help.name !== match[1])
          throw new Error(`no type after its help: ${line}`);
        family = this.#add(match[1] as string, match[2] as Family["type"], help.text);
      } else {
        const sample = parseSample(line);
        if (!family || !belongs(family, sample))
          throw new Error(`sample without its type: ${line}`);
        family.samples.push(sample);
      }
    }
    for (const one of this.families.values()) check(one);
  }

  /** The samples of this name that have at least these labels. */
  samples(name: string, labels: Readonly<Record<string, string>> = {}): Sample[] {
    return [...this.families.values()]
      .flatMap(({ samples }) => samples)
      .filter((sample) => sample.name === name)
      .filter((sample) =>
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
      );
  }

  /** The value of the only such sample; undefined where there is none. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const found = this.samples(name, labels);
    if (found.length > 1) throw new Error(`${found.length} samples of ${name}`);
    return found[0]?.value;
  }

  #add(name: string, type: Family["type"], help: string): Family {
    if (this.families.has(name)) throw new Error(`${name} comes twice`);
    const family = { name, type, help, samples: [] };
    this.families.set(name, family);
    return family;
  }
}

function parseSample(line: string): Sample {
  const [all, name = "", labels = "", value = ""] = SAMPLE.exec(line) ?? [];
  if (all === undefined) throw new Error(`no sample: ${line}`);
  const pairs = [...labels.matchAll(/([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"/g)].map(
    ([, label, text]) => [label, unescapeLabel(text as string)] as [string, string],
  );
  if (new Set(pairs.map(([label]) => label)).size < pairs.length) {
    throw new Error(`a label comes twice: ${line}`);
  }
  const number = Number(value.replace("Inf", "Infinity"));
  return { name, labels: Object.fromEntries(pairs), value: number };
}

function unescapeLabel(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}

function belongs({ name, type }: Family, sample: Sample): boolean {
  const suffixes = type === "histogram" || type === "summary" ? SUFFIXES[type] : [""];
  return suffixes.some((suffix) => sample.name === name + suffix);
}

function check(family: Family): void {
  const series = family.samples.map(({ name, labels }) => keyOf(name, labels));
  if (new Set(series).size < series.length) throw new Error(`a series of ${family.name} is double`);
  if (family.name.endsWith("_total") !== (family.type === "counter")) {
    throw new Error(`${family.name} is a ${family.type}`);
  }
  if (family.type === "counter") {
    if (family.samples.some(({ value }) => !(value >= 0))) throw new Error(`${family.name} < 0`);
  }
  if (family.type === "histogram") checkHistogram(family);
}

/** Buckets rise to "+Inf", which is the count. */
function checkHistogram({ name, samples }: Family): void {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = keyOf("", labels);
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const group of groups.values()) {
    const buckets = group.filter((sample) => sample.name.endsWith("_bucket"));
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace("Inf", "Infinity")));
    const counts = buckets.map(({ value }) => value);
    const rises = (values: number[]) => values.every((v, i) => i === 0 || v >= values[i - 1]!);
    const count = group.find((sample) => sample.name.endsWith("_count"))?.value;
    const hasSum = group.some((sample) => sample.name.endsWith("_sum"));
    const isWhole = hasSum && bounds.at(-1) === Number.POSITIVE_INFINITY && counts.at(-1) === count;
    if (!rises(bounds) || !rises(counts) || !isWhole) throw new Error(`${name} does not add up`);
  }
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, Object.entries(labels).sort()]);
}
