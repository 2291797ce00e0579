import {
  DriftAction,
  type HostSelector,
  HostSelectorSchema,
  Liveness,
  type MapSet,
  type MapSetStatus,
  type MapSetTarget,
  MapSetTargetSchema,
  type MapSetTotals,
  LabelRequirement_Operator as Operator,
  Ownership,
} from "@bpfmapd/client/proto";
import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { plainHex } from "./hex.js";
import type { JsonValue } from "./json-writer.js";
import type { Style } from "./style.js";
import { tableText } from "./table.js";

/** A map set as JSON. */
export function mapSetJson({ spec, ...set }: MapSet): JsonValue {
  return {
    name: set.name,
    id: set.id,
    generation: set.generation,
    elements: set.elementCount,
    key_size: spec?.keySize ?? 0,
    value_size: spec?.valueSize ?? 0,
    ownership: ownershipName(spec?.ownership),
    drift: driftName(spec?.drift),
    target: spec?.target && (toJson(MapSetTargetSchema, spec.target) as JsonValue),
    selector: spec?.selector && (toJson(HostSelectorSchema, spec.selector) as JsonValue),
    digest: hexOf(set.digest),
    made_at: timeJson(set.madeAt),
    writer: set.writer,
  };
}

/** Map sets, one a line. */
export function mapSetTable(sets: readonly MapSet[], style: Style): string {
  return tableText(
    sets,
    [
      { title: "SET", cell: ({ name }) => name },
      { title: "GENERATION", align: "right", cell: ({ generation }) => `${generation}` },
      { title: "ELEMENTS", align: "right", cell: ({ elementCount }) => `${elementCount}` },
      { title: "MAP", cell: ({ spec }) => targetText(spec?.target) },
      { title: "HOSTS", cell: ({ spec }) => selectorText(spec?.selector) },
      { title: "OWNERSHIP", cell: ({ spec }) => ownershipName(spec?.ownership) },
      { title: "DRIFT", cell: ({ spec }) => driftName(spec?.drift) },
      { title: "MADE", cell: ({ madeAt }) => timeText(madeAt) },
      { title: "WRITER", cell: ({ writer }) => writer },
    ],
    style,
  );
}

/** Such as "blocked: generation 7, 100000 elements". */
export function mapSetText({ name, generation, elementCount }: MapSet): string {
  return `${name}: generation ${generation}, ${elementCount} ${elementCount === 1n ? "element" : "elements"}`;
}

/** How a set is on a host, as JSON. */
export function setStatusJson(status: MapSetStatus): JsonValue {
  const { difference, lastDrift, errorReason, errorMessage } = status;
  return {
    host: status.hostId,
    liveness: Liveness[status.liveness] ?? `${status.liveness}`,
    wanted_generation: status.wantedGeneration,
    applied_generation: status.appliedGeneration,
    digest: hexOf(status.digest),
    missing: difference?.missing ?? 0n,
    changed: difference?.changed ?? 0n,
    extra: difference?.extra ?? 0n,
    ...(errorReason !== "" && { error: { reason: errorReason, message: errorMessage } }),
    verified_at: timeJson(status.verifiedAt),
    applied_at: timeJson(status.appliedAt),
    drifts: status.drifts,
    ...(lastDrift && {
      last_drift: {
        at: timeJson(status.lastDriftAt),
        missing: lastDrift.missing,
        changed: lastDrift.changed,
        extra: lastDrift.extra,
      },
    }),
  };
}

/** How a set is on its hosts, one a line, with those that are not right last. */
export function setStatusTable(
  statuses: readonly MapSetStatus[],
  generation: bigint,
  style: Style,
): string {
  const trouble = (status: MapSetStatus) =>
    (status.appliedGeneration === generation ? 0 : 1) + (status.errorReason === "" ? 0 : 2);
  const sorted = [...statuses].sort(
    (a, b) => trouble(a) - trouble(b) || a.hostId.localeCompare(b.hostId),
  );
  return tableText(
    sorted,
    [
      { title: "HOST", cell: ({ hostId }) => hostId },
      { title: "STATE", cell: (status) => stateText(status, generation, style) },
      { title: "HAS", align: "right", cell: (status) => `${status.appliedGeneration || "-"}` },
      { title: "DIFFERS", cell: differenceText },
      { title: "DRIFTS", align: "right", cell: ({ drifts }) => (drifts > 0n ? `${drifts}` : "") },
      { title: "VERIFIED", cell: ({ verifiedAt }) => timeText(verifiedAt) },
      {
        title: "ERROR",
        cell: ({ errorReason: reason, errorMessage }) =>
          reason === "" ? "" : `${reason}: ${errorMessage}`,
      },
    ],
    style,
  );
}

export function setTotalsJson(totals: MapSetTotals): JsonValue {
  const { generation, hosts, applied, failed, drifted, unreachable } = totals;
  return { generation, hosts, applied, failed, drifted, unreachable };
}

/** Such as "generation 7 on 19 of 20 hosts, 1 failed". */
export function setTotalsText(totals: MapSetTotals, style: Style): string {
  const { generation, hosts, applied, failed, drifted, unreachable } = totals;
  const parts = [
    `generation ${generation} on ${applied} of ${hosts} ${hosts === 1 ? "host" : "hosts"}`,
    failed > 0 && style.red(`${failed} failed`),
    drifted > 0 && style.yellow(`${drifted} drifted`),
    unreachable > 0 && style.yellow(`${unreachable} unreachable`),
  ];
  return parts.filter(Boolean).join(", ");
}

function stateText(status: MapSetStatus, generation: bigint, style: Style): string {
  if (status.liveness !== Liveness.CONNECTED) return style.yellow("unreachable");
  if (status.errorReason !== "") return style.red("failed");
  if (differenceText(status) !== "") return style.yellow("drifted");
  return status.appliedGeneration === generation ? "applied" : "behind";
}

function differenceText({ difference }: MapSetStatus): string {
  const { missing = 0n, changed = 0n, extra = 0n } = difference ?? {};
  const parts = [
    missing > 0n && `${missing} missing`,
    changed > 0n && `${changed} changed`,
    extra > 0n && `${extra} extra`,
  ];
  return parts.filter(Boolean).join(", ");
}

function targetText(target: MapSetTarget | undefined): string {
  const ref = target?.map?.ref;
  if (ref?.value === undefined) return "";
  const word = ref.case === "pinPath" ? "pinned" : ref.case;
  const slot = target?.outerKey && ` slot ${plainHex(target.outerKey)}`;
  return `${word} ${ref.value}${slot ?? ""}`;
}

/** As the options say it. */
function selectorText(selector: HostSelector | undefined): string {
  const { hostIds = [], labels = {}, requirements = [] } = selector ?? {};
  const all = [
    ...hostIds,
    ...Object.entries(labels).map(([key, value]) => `${key}=${value}`),
    ...requirements.map(({ key, operator, values }) => {
      if (operator === Operator.EXISTS) return key;
      if (operator === Operator.DOES_NOT_EXIST) return `!${key}`;
      return `${key}${operator === Operator.IN ? "=" : "!="}${values.join(",")}`;
    }),
  ];
  return all.length === 0 ? "all" : all.join(" ");
}

function ownershipName(ownership: Ownership | undefined): string {
  return (Ownership[ownership ?? 0] ?? "").toLowerCase();
}

function driftName(drift: DriftAction | undefined): string {
  return (DriftAction[drift ?? 0] ?? "").toLowerCase();
}

function timeJson(time: Timestamp | undefined): JsonValue | undefined {
  return time && timestampDate(time).toISOString();
}

function timeText(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toISOString().slice(0, 19).replace("T", " ") : "";
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
