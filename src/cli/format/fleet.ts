import type { FanOutOutcome, HostOutcome, HostResult } from "@bpfmapd/client";
import { type FanOutSummary, type FleetHost, Liveness } from "@bpfmapd/client/proto";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { hostJson } from "./host.js";
import type { JsonValue } from "./json-writer.js";
import type { Style } from "./style.js";
import { tableText } from "./table.js";

/** Answers in a table are shortened to this. */
const MAX_ANSWER = 100;

/** A host of a fleet as JSON, with the names of the contract. */
export function fleetHostJson(host: FleetHost): JsonValue {
  return {
    id: host.id,
    liveness: livenessName(host.liveness),
    relay: host.relay,
    labels: host.labels,
    address: host.address,
    sans: host.sans,
    session_id: host.sessionId,
    connected_at: host.connectedAt && timestampDate(host.connectedAt).toISOString(),
    map_types: host.mapTypes,
    host: host.host && hostJson(host.host),
  };
}

/** Hosts of a fleet, one a line. */
export function fleetHostTable(hosts: readonly FleetHost[], style: Style): string {
  return tableText(
    hosts,
    [
      { title: "HOST", cell: ({ id }) => id },
      { title: "STATE", cell: ({ liveness }) => livenessText(liveness, style) },
      { title: "RELAY", cell: ({ relay }) => relay },
      { title: "KERNEL", cell: ({ host }) => host?.kernelRelease ?? "" },
      { title: "DAEMON", cell: ({ host }) => host?.daemonVersion ?? "" },
      { title: "SINCE", cell: ({ connectedAt }) => (connectedAt ? sinceText(connectedAt) : "") },
      { title: "LABELS", cell: ({ labels }) => labelText(labels) },
    ],
    style,
  );
}

/** What came of each host, with the failures last, where they are seen. */
export function resultTable(
  results: readonly HostResult<unknown>[],
  answerText: (result: HostResult<unknown>) => string,
  style: Style,
): string {
  const order: readonly HostOutcome[] = ["ok", "skipped", "unreachable", "failed"];
  const sorted = [...results].sort(
    (a, b) =>
      order.indexOf(a.outcome) - order.indexOf(b.outcome) || a.hostId.localeCompare(b.hostId),
  );
  return tableText(
    sorted,
    [
      { title: "HOST", cell: ({ hostId }) => hostId },
      { title: "RESULT", cell: ({ outcome }) => outcomeText(outcome, style) },
      {
        title: "TOOK",
        align: "right",
        cell: ({ outcome, tookMs }) => (outcome === "skipped" ? "" : `${tookMs} ms`),
      },
      { title: "ANSWER", cell: (result) => errorText(result) || shorten(answerText(result)) },
    ],
    style,
  );
}

/** One host's result as JSON. */
export function resultJson(
  { hostId, outcome, error, maybeDone, tookMs }: HostResult<unknown>,
  response: JsonValue | undefined,
): JsonValue {
  return {
    host: hostId,
    outcome,
    took_ms: tookMs,
    response,
    ...(error && { error: { reason: error.reason, message: error.message } }),
    ...(maybeDone && { maybe_done: true }),
  };
}

export function summaryJson(summary: FanOutSummary): JsonValue {
  const { matched, ok, failed, unreachable, skipped } = summary;
  return { matched, ok, failed, unreachable, skipped };
}

/** Such as "20 hosts: 18 ok, 1 failed, 1 unreachable". */
export function summaryText(
  { matched, ok, failed, unreachable, skipped }: FanOutOutcome<unknown>["summary"],
  style: Style,
): string {
  const parts = [
    `${ok} ok`,
    failed > 0 && style.red(`${failed} failed`),
    unreachable > 0 && style.yellow(`${unreachable} unreachable`),
    skipped > 0 && `${skipped} skipped`,
  ].filter(Boolean);
  return `${matched} ${matched === 1 ? "host" : "hosts"}: ${parts.join(", ")}`;
}

function outcomeText(outcome: HostOutcome, style: Style): string {
  if (outcome === "failed") return style.red(outcome);
  return outcome === "unreachable" ? style.yellow(outcome) : outcome;
}

function errorText({ error, maybeDone }: HostResult<unknown>): string {
  if (!error) return "";
  const reason = error.reason === "" ? "" : `${error.reason}: `;
  return `${reason}${error.message}${maybeDone ? " (it may have been done)" : ""}`;
}

function shorten(text: string): string {
  return text.length <= MAX_ANSWER ? text : `${text.slice(0, MAX_ANSWER)}…`;
}

function livenessName(liveness: Liveness): string {
  return Liveness[liveness] ?? `${liveness}`;
}

function livenessText(liveness: Liveness, style: Style): string {
  const name = livenessName(liveness).toLowerCase();
  return liveness === Liveness.LOST ? style.red(name) : name;
}

function sinceText(time: NonNullable<FleetHost["connectedAt"]>): string {
  return timestampDate(time).toISOString().slice(0, 19).replace("T", " ");
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
}
