import type { FleetAggregate, TopSums } from "@bpfmapd/client";
import { plainHex } from "./hex.js";
import { type JsonValue, type JsonWriter, writeJson } from "./json-writer.js";
import type { Style } from "./style.js";
import { tableText } from "./table.js";
import { grouped, totalsText, writeTotals } from "./totals.js";

/** Failures that are printed one by one. */
const SHOWN_FAILURES = 10;

/** What many hosts come to, as tables. @param names of the fields */
export function fleetAggregateText(
  answer: FleetAggregate,
  names: readonly string[],
  style: Style,
): string {
  const { totals, top, hosts, steps } = answer;
  const named = totals.map((each, index) => ({ name: names[index] ?? "", ...each }));
  const parts = [totalsText(named, style)];
  if (steps.length > 0) parts.push(stepText(answer, names, style));
  if (top) parts.push(topText(top, names[0] ?? "", style));
  if (hosts.length > 0) parts.push(hostText(answer, names, style));
  return parts.join("\n");
}

function stepText({ steps }: FleetAggregate, names: readonly string[], style: Style): string {
  const rows = steps.map((step, index) => ({ name: names[index] ?? "", ...step }));
  return tableText(
    rows,
    [
      { title: "FIELD", cell: ({ name }) => name },
      { title: "COUNTED", align: "right", cell: ({ by }) => grouped(by) },
      { title: "RATE/s", align: "right", cell: ({ perSecond }) => rateText(perSecond) },
      { title: "HOSTS", align: "right", cell: ({ hosts }) => String(hosts) },
      { title: "MADE ANEW", align: "right", cell: ({ resets }) => someText(resets) },
      { title: "FELL", align: "right", cell: ({ fell }) => someText(fell) },
    ],
    style,
  );
}

function topText({ keys, othersMax }: TopSums, field: string, style: Style): string {
  const rows = keys.map(({ key, json, atLeast, atMost, hosts }) => ({
    sum: grouped(atLeast),
    most: atLeast === atMost ? "" : `<= ${grouped(atMost)}`,
    hosts: String(hosts),
    key: json ?? plainHex(key),
  }));
  if (othersMax !== undefined) {
    rows.push({ sum: "", most: `<= ${grouped(othersMax)}`, hosts: "", key: "any other" });
  }
  return tableText(
    rows,
    [
      { title: field, align: "right", cell: ({ sum }) => sum },
      { title: "OR", align: "right", cell: ({ most }) => most },
      { title: "HOSTS", align: "right", cell: ({ hosts }) => hosts },
      { title: "KEY", cell: ({ key }) => key },
    ],
    style,
  );
}

function hostText({ hosts }: FleetAggregate, names: readonly string[], style: Style): string {
  return tableText(
    hosts,
    [
      { title: "HOST", cell: ({ hostId }) => hostId },
      { title: "MAP", align: "right", cell: ({ mapId }) => String(mapId) },
      { title: "ELEMENTS", align: "right", cell: ({ elements }) => grouped(elements) },
      ...names.map((name, index) => ({
        title: name,
        align: "right" as const,
        cell: ({ totals }: FleetAggregate["hosts"][number]) => grouped(totals[index]?.sum),
      })),
    ],
    style,
  );
}

/** Such as "3 hosts: 2 answered, 1 unreachable", and why. */
export function coverageText({ coverage, oldestSample }: FleetAggregate, style: Style): string {
  const { matched, answered, failed, unreachable, incomplete, failures } = coverage;
  const parts = [
    `${answered} answered`,
    failed > 0 && style.red(`${failed} failed`),
    unreachable > 0 && style.yellow(`${unreachable} unreachable`),
    incomplete > 0 && `${incomplete} not read completely`,
  ].filter(Boolean);
  const since = oldestSample ? `, since ${oldestSample.toISOString()}` : "";
  const lines = [`${matched} ${matched === 1 ? "host" : "hosts"}: ${parts.join(", ")}${since}`];
  for (const { hostId, error } of failures.slice(0, SHOWN_FAILURES)) {
    lines.push(`  ${hostId}: ${error.message}`);
  }
  const more = failed + unreachable - Math.min(failures.length, SHOWN_FAILURES);
  if (more > 0) lines.push(`  and ${more} more`);
  return lines.join("\n");
}

/** All that an answer tells, with the names of the contract. */
export function writeFleetAggregate(
  json: JsonWriter,
  answer: FleetAggregate,
  names: readonly string[],
): void {
  const { coverage, elements, totals, top, steps, hosts } = answer;
  const named = (each: FleetAggregate["totals"]) =>
    each.map((one, index) => ({ name: names[index] ?? "", ...one }));
  json.startObject();
  json.name("coverage");
  writeJson(json, coverageJson(coverage));
  json.member("elements", elements);
  json.member("oldest_sample", answer.oldestSample?.toISOString() ?? null);
  json.member("newest_sample", answer.newestSample?.toISOString() ?? null);
  writeTotals(json, named(totals));
  if (top) writeTop(json, top);
  json.name("steps");
  writeJson(
    json,
    steps.map(({ by, perSecond, hosts: counted, resets, fell }, index) => {
      return {
        ...{ field: names[index] ?? "", by, per_second: perSecond },
        ...{ hosts: counted, resets, fell },
      };
    }),
  );
  json.name("hosts");
  json.startArray();
  for (const host of hosts) {
    json.startObject();
    json.member("host", host.hostId);
    json.member("map_id", host.mapId);
    json.member("elements", host.elements);
    json.member("complete", host.complete);
    writeTotals(json, named(host.totals));
    json.endObject();
  }
  json.endArray();
  json.endObject();
}

function coverageJson({ failures, ...counts }: FleetAggregate["coverage"]): JsonValue {
  return {
    ...counts,
    failures: failures.map(({ hostId, error: { reason, message } }) => {
      return { host: hostId, reason, message };
    }),
  };
}

function writeTop(json: JsonWriter, { keys, othersMax }: TopSums): void {
  json.name("top");
  json.startArray();
  for (const { key, json: text, atLeast, atMost, hosts } of keys) {
    json.startObject();
    json.name("key");
    json.bytes(key);
    if (text !== undefined) {
      json.name("formatted_key");
      writeJson(json, JSON.parse(text) as JsonValue);
    }
    json.member("at_least", atLeast);
    json.member("at_most", atMost);
    json.member("hosts", hosts);
    json.endObject();
  }
  json.endArray();
  json.member("others_max", othersMax ?? null);
}

function rateText(perSecond: number): string {
  return perSecond.toLocaleString("en-US", { maximumFractionDigits: perSecond < 100 ? 1 : 0 });
}

function someText(count: number): string {
  return count === 0 ? "" : String(count);
}
