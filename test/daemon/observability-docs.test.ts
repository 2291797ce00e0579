import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { MapType } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import type { Exposition, Family } from "./support/exposition.js";
import { scrape } from "./support/scrape.js";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const text = read("docs/observability.md");

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly query: unknown }[] };
}

const dashboard: Dashboard = JSON.parse(read("deploy/grafana/bpfmapd.json"));
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** A daemon that has done something of everything, so that no metric is without a sample. */
async function busyDaemon(): Promise<TestDaemon> {
  const name = `d${process.pid}`;
  const args = ["--metrics-listen", "127.0.0.1:0", "--metrics-map", name];
  const daemon = await startDaemon({ args: [...args, "--metrics-maps-interval-ms", "1000"] });
  const spec = { type: MapType.HASH, name, keySize: 4, valueSize: 4, maxEntries: 4 };
  await daemon.client.maps.createMap({ spec, hold: { name } });
  const map = daemon.client.map({ held: name });
  await map.load([[Buffer.alloc(4), Buffer.alloc(4)]]);
  for await (const _ of map.dump()) break;
  return daemon;
}

describe("the documentation and the dashboard", () => {
  let metrics: Exposition;
  let own: Family[];

  beforeAll(async () => {
    const daemon = await busyDaemon();
    const stop = new AbortController();
    const ref = { ref: { case: "held" as const, value: `d${process.pid}` } };
    const stream = daemon.client.maps.watch({ map: ref }, { signal: stop.signal });
    const messages = stream[Symbol.asyncIterator]();
    while ((await messages.next()).value?.kind.case !== "bookmark");
    // The first round of counting may have come before the map.
    while ((await scrape(daemon)).samples("bpfmapd_map_elements").length === 0) await sleep(200);
    metrics = await scrape(daemon);
    own = [...metrics.families.values()].filter((family) => family.name.startsWith("bpfmapd_"));
    stop.abort();
    return () => daemon.dispose();
  });

  test("tell every metric with its type, its labels and its meaning, and no other", () => {
    const rows = own.map((family) => {
      const labels = labelsOf(family).map((label) => `\`${label}\``);
      return `| \`${family.name}\` | ${family.type} | ${labels.join(", ") || "–"} | ${family.help} |`;
    });
    const documented = text.split("\n").filter((line) => line.startsWith("| `bpfmapd_"));
    expect(documented).toEqual(rows);
  });

  test("show only metrics and labels that the daemon has", () => {
    expect(queries.length).toBeGreaterThan(20);
    for (const query of queries) {
      const names = query.match(/\b(?:bpfmapd|process|nodejs)_[a-z0-9_]+/g) ?? [];
      expect(names, query).not.toEqual([]);
      for (const name of names)
        expect(metrics.samples(name), `${name} in ${query}`).not.toEqual([]);
      const known = new Set([
        ...["instance", "job"], // Prometheus adds these.
        ...names
          .flatMap((name) => metrics.samples(name))
          .flatMap(({ labels }) => Object.keys(labels)),
      ]);
      for (const label of labelsIn(query)) expect(known, query).toContain(label);
    }
  });

  test("show every metric of the daemon's own", () => {
    const all = [...queries, JSON.stringify(dashboard.templating)].join("\n");
    const unseen = own.filter(({ name }) => !all.includes(name)).map(({ name }) => name);
    // The fill is what it is good for.
    expect(unseen).toEqual(["bpfmapd_map_max_entries"]);
  });
});

test("the dashboard's panels have ids of their own and do not overlap", () => {
  const { panels } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = new Set<string>();
  for (const { gridPos, title } of panels) {
    expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(cells.has(`${x},${y}`), title).toBe(false);
        cells.add(`${x},${y}`);
      }
    }
  }
});

test("the examples for Prometheus are YAML", () => {
  const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = ""]) =>
    parse(yaml),
  );
  expect(examples[0].scrape_configs[0].job_name).toBe("bpfmapd");
  expect(examples[1].groups[0].rules[0].expr).toContain("bpfmapd_map_fill_ratio");
});

/** The labels of a metric's series, in the order in which they are written. */
function labelsOf({ samples }: Family): string[] {
  const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)));
  labels.delete("le");
  return [...labels];
}

/** The labels that a query names in matchers and in `by (…)`. */
function labelsIn(query: string): string[] {
  const bare = query.replace(/"[^"]*"/g, '""');
  const matchers = [...bare.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside = ""]) =>
    [...inside.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label),
  );
  const grouped = [...bare.matchAll(/\b(?:by|on|without|ignoring) \(([^)]*)\)/g)].flatMap(
    ([, inside = ""]) => inside.split(",").map((label) => label.trim()),
  );
  return [...matchers, ...grouped];
}
