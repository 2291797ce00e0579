import type { RolloutProgress } from "@bpfmapd/client";
import {
  type Rollout,
  type RolloutHost,
  RolloutPhase,
  RolloutSchema,
  RolloutStanding,
} from "@bpfmapd/client/proto";
import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { JsonValue } from "./json-writer.js";
import type { Style } from "./style.js";
import { tableText } from "./table.js";

const BAR_WIDTH = 40;
/** Hosts that are not well are listed first. */
const ORDER: readonly RolloutStanding[] = [
  RolloutStanding.FAILED,
  RolloutStanding.UNREACHABLE,
  RolloutStanding.PENDING,
  RolloutStanding.DONE,
  RolloutStanding.WAITING,
];

/** A rollout and its hosts as JSON, with the names of the contract. */
export function rolloutJson({ rollout, hosts }: RolloutProgress): JsonValue {
  const { plan: _, ...told } = toJson(RolloutSchema, rollout, {
    useProtoFieldName: true,
    alwaysEmitImplicit: true,
  }) as Record<string, JsonValue>;
  return { ...told, map_hosts: [...hosts.values()].map(hostJson) };
}

/** Where a rollout is, and the hosts that are not well, in lines. */
export function rolloutLines(
  { rollout, hosts }: RolloutProgress,
  style: Style,
  most = Number.POSITIVE_INFINITY,
): string[] {
  const lines = [headLine(rollout, style), barLine(rollout, style)];
  if (rollout.waitsMessage !== "") lines.push(waitLine(rollout, style));
  if (rollout.failure && !rollout.paused) lines.push(style.red(`gate: ${rollout.failure.message}`));
  const listed = troubled(hosts.values());
  if (listed.length === 0) return lines;
  const room = Math.max(1, most - lines.length - 3);
  const rows = hostTable(listed.slice(0, room), style).trimEnd().split("\n");
  lines.push("", ...rows);
  if (listed.length > room) lines.push(style.dim(`and ${listed.length - room} more`));
  return lines;
}

/** What has happened, one step a line. */
export function historyText({ history }: Rollout, style: Style): string {
  return tableText(
    history,
    [
      {
        title: "TIME",
        cell: ({ at }) =>
          at ? timestampDate(at).toISOString().slice(0, 19).replace("T", " ") : "",
      },
      { title: "STEP", cell: ({ what }) => what },
      { title: "BY", cell: ({ by }) => by },
      { title: "MESSAGE", cell: ({ message }) => message },
    ],
    style,
  );
}

/** All hosts of a rollout, those that are not well first. */
export function hostTable(hosts: readonly RolloutHost[], style: Style): string {
  return tableText(
    hosts,
    [
      { title: "HOST", cell: ({ hostId }) => hostId },
      { title: "STATE", cell: ({ standing }) => standingText(standing, style) },
      { title: "GENERATION", align: "right", cell: (host) => `${host.appliedGeneration || "-"}` },
      { title: "ERROR", cell: ({ errorMessage }) => errorMessage },
    ],
    style,
  );
}

/** Hosts, those that are not well first. */
export function sorted(hosts: Iterable<RolloutHost>): RolloutHost[] {
  return [...hosts].sort(
    (a, b) =>
      ORDER.indexOf(a.standing) - ORDER.indexOf(b.standing) || a.hostId.localeCompare(b.hostId),
  );
}

function troubled(hosts: Iterable<RolloutHost>): RolloutHost[] {
  return sorted(hosts).filter(
    ({ standing }) => standing !== RolloutStanding.DONE && standing !== RolloutStanding.WAITING,
  );
}

function headLine(rollout: Rollout, style: Style): string {
  const { mapSet, generation, fromGeneration, wave, plan } = rollout;
  const waves = plan?.waves ?? [];
  const size = waves[wave - 1]?.size;
  const hosts = size?.case === "percent" ? `${size.value} %` : hostCount(size?.value ?? 0);
  return [
    style.bold(mapSet),
    `generation ${fromGeneration} -> ${generation}`,
    `wave ${wave} of ${waves.length} (${hosts})`,
    phaseText(rollout, style),
  ].join("  ");
}

function hostCount(count: number): string {
  return count === 1 ? "1 host" : `${count} hosts`;
}

function phaseText({ phase, paused }: Rollout, style: Style): string {
  if (paused) return style.yellow("paused");
  const text = RolloutPhase[phase]!.toLowerCase().replace("_", " ");
  if (phase === RolloutPhase.COMPLETED) return style.green(text);
  const isBack = phase === RolloutPhase.ROLLING_BACK || phase === RolloutPhase.ROLLED_BACK;
  return isBack || phase === RolloutPhase.ABORTED ? style.red(text) : text;
}

function barLine({ hosts }: Rollout, style: Style): string {
  if (!hosts) return style.dim("how its hosts are doing is not known for now");
  const { matched, done, failed, pending, unreachable, waiting } = hosts;
  const width = (count: number) => Math.round((count / Math.max(1, matched)) * BAR_WIDTH);
  const good = "#".repeat(width(done));
  const bad = "!".repeat(Math.min(BAR_WIDTH - good.length, width(failed + unreachable)));
  const going = "-".repeat(Math.min(BAR_WIDTH - good.length - bad.length, width(pending)));
  const rest = ".".repeat(BAR_WIDTH - good.length - bad.length - going.length);
  const counts = [
    `${done} done`,
    pending > 0 && `${pending} pending`,
    failed > 0 && style.red(`${failed} failed`),
    unreachable > 0 && style.yellow(`${unreachable} unreachable`),
    waiting > 0 && `${waiting} waiting`,
  ].filter(Boolean);
  const bar = `[${style.green(good)}${style.red(bad)}${going}${style.dim(rest)}]`;
  return `${bar} ${counts.join(", ")} of ${matched}`;
}

function waitLine({ paused, waitsMessage }: Rollout, style: Style): string {
  return paused ? style.yellow(waitsMessage) : style.dim(waitsMessage);
}

function standingText(standing: RolloutStanding, style: Style): string {
  const text = RolloutStanding[standing]!.toLowerCase();
  if (standing === RolloutStanding.FAILED) return style.red(text);
  return standing === RolloutStanding.UNREACHABLE ? style.yellow(text) : text;
}

function hostJson(host: RolloutHost): JsonValue {
  return {
    host: host.hostId,
    standing: RolloutStanding[host.standing]!,
    applied_generation: Number(host.appliedGeneration),
    error: host.errorMessage,
  };
}
