import {
  type CallOrigin,
  CallOriginSchema,
  DriftAction as DriftEnum,
  type HostSelector,
  HostSelectorSchema,
  type MapSet,
  MapSetSchema,
  type MapSetSpec,
  type MapSetStatus,
  MapSetStatusSchema,
  type MapSetTarget,
  MapSetTargetSchema,
  Ownership as OwnershipEnum,
} from "@bpfmapd/client/proto";
import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { SetStatus } from "./reconcile/index.js";
import { type HostMatcher, hostMatcher } from "./selector.js";
import type { DriftAction, Json, Manifest, Ownership, SetSpec } from "./sets/index.js";

const OWNERSHIP: Readonly<Record<Ownership, OwnershipEnum>> = {
  exclusive: OwnershipEnum.EXCLUSIVE,
  merge: OwnershipEnum.MERGE,
  additive: OwnershipEnum.ADDITIVE,
};
const DRIFT: Readonly<Record<DriftAction, DriftEnum>> = {
  repair: DriftEnum.REPAIR,
  report: DriftEnum.REPORT,
};

/** The ownership that a request names; undefined for none. */
export function toOwnership(ownership: OwnershipEnum): Ownership | undefined {
  return nameOf(OWNERSHIP, ownership);
}

/** The action that a request names; undefined for none. */
export function toDriftAction(drift: DriftEnum): DriftAction | undefined {
  return nameOf(DRIFT, drift);
}

function nameOf<Name extends string, Value>(
  names: Readonly<Record<Name, Value>>,
  value: Value,
): Name | undefined {
  return (Object.keys(names) as Name[]).find((name) => names[name] === value);
}

/** What a request says that a set is for. */
export function toSetSpec(spec: MapSetSpec): SetSpec {
  return {
    ownership: toOwnership(spec.ownership) ?? "exclusive",
    drift: toDriftAction(spec.drift) ?? "repair",
    map: spec.target ? (toJson(MapSetTargetSchema, spec.target) as Json) : null,
    selector: selectorJson(spec.selector),
    keySize: spec.keySize,
    valueSize: spec.valueSize,
  };
}

/** A selector, as a manifest keeps it. */
export function selectorJson(selector: HostSelector | undefined): Json {
  return selector ? (toJson(HostSelectorSchema, selector) as Json) : {};
}

/**
 * Who writes a set, as its manifest keeps it. What was proven may run out, as a token does; what
 * was written by it stays.
 */
export function writerJson({ name, peer, caller }: CallOrigin): Json {
  const writer = create(CallOriginSchema, { name, peer, ...(caller && { caller }) });
  return toJson(CallOriginSchema, writer) as Json;
}

/** Who wrote a set. */
export function writerOf({ writer }: Manifest): CallOrigin {
  return fromJson(CallOriginSchema, writer ?? {}, { ignoreUnknownFields: true });
}

/** The map that a set is for. */
export function targetOf({ map }: Manifest): MapSetTarget {
  return fromJson(MapSetTargetSchema, map, { ignoreUnknownFields: true });
}

const matchers = new WeakMap<Manifest, HostMatcher>();

/** Tells of a host whether a set is for it. */
export function setMatcher(manifest: Manifest): HostMatcher {
  let matcher = matchers.get(manifest);
  if (matcher === undefined) {
    matcher = hostMatcher(selectorOf(manifest));
    matchers.set(manifest, matcher);
  }
  return matcher;
}

function selectorOf({ selector }: Manifest): HostSelector {
  return fromJson(HostSelectorSchema, selector, { ignoreUnknownFields: true });
}

/** A set, as the contract has it. */
export function mapSetMessage(manifest: Manifest): MapSet {
  const { name, id, generation, ownership, drift, keySize, valueSize } = manifest;
  return create(MapSetSchema, {
    ...{ name, id, generation: BigInt(generation) },
    spec: {
      ...{ selector: selectorOf(manifest), target: targetOf(manifest) },
      ...{ ownership: OWNERSHIP[ownership], drift: DRIFT[drift], keySize, valueSize },
    },
    elementCount: BigInt(manifest.count),
    digest: Buffer.from(manifest.digest, "hex"),
    madeAt: timestampFromMs(manifest.madeAt),
    writer: writerOf(manifest).name,
  });
}

/** How a set is on a host, as the contract has it. */
export function statusMessage(hostId: string, status: SetStatus): MapSetStatus {
  const { missing, changed, extra, lastDrift } = status;
  return create(MapSetStatusSchema, {
    ...{ name: status.set, hostId, mapSetId: status.id },
    wantedGeneration: BigInt(status.wanted),
    appliedGeneration: BigInt(status.applied),
    digest: Buffer.from(status.digest, "hex"),
    difference: differenceOf({ missing, changed, extra }),
    ...{ errorReason: status.errorReason, errorMessage: status.error.slice(0, 1000) },
    ...timeOf("verifiedAt", status.verifiedAt),
    ...timeOf("appliedAt", status.appliedAt),
    drifts: BigInt(status.drifts),
    ...(lastDrift.at > 0 && { lastDrift: differenceOf(lastDrift) }),
    ...timeOf("lastDriftAt", lastDrift.at),
  });
}

function differenceOf(difference: Pick<SetStatus, "missing" | "changed" | "extra">) {
  const { missing, changed, extra } = difference;
  return { missing: BigInt(missing), changed: BigInt(changed), extra: BigInt(extra) };
}

function timeOf<Name extends string>(name: Name, at: number) {
  return at > 0 ? { [name]: timestampFromMs(Math.floor(at)) } : {};
}
