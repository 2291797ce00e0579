import type {
  HoldSchema,
  MapDetail as MapDetailMessage,
  MapSchema,
  MapSpecSchema,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Hold, MapDetail, MapRecord, MapSpec } from "../../maps/index.js";

/** A map as the contract tells it. */
export function mapMessage(map: MapRecord): MessageInitShape<typeof MapSchema> {
  return {
    id: map.id,
    type: map.type,
    name: map.name,
    keySize: map.keySize,
    valueSize: map.valueSize,
    valueStride: map.valueStride,
    maxEntries: map.maxEntries,
    flags: map.flags,
    mapExtra: map.mapExtra,
    ifindex: map.ifindex,
    btfId: map.btfId,
    btfKeyTypeId: map.btfKeyTypeId,
    btfValueTypeId: map.btfValueTypeId,
    btfVmlinuxValueTypeId: map.btfVmlinuxValueTypeId,
    memlockBytes: map.memlockBytes === undefined ? undefined : BigInt(map.memlockBytes),
    frozen: map.frozen,
    ownerProgType: map.ownerProgType,
    ownerJited: map.ownerJited,
    cpus: [...map.cpus],
    pinPaths: [...map.pinPaths],
    holds: map.holds.map(holdMessage),
    holders: map.holders.map(({ pid, comm }) => ({ pid, comm })),
    bootId: map.bootId,
    programs: map.programs.map(({ id, name, type }) => ({ id, name, type })),
    keptObjects: map.keptObjects,
    innerMapSpec: map.innerMapSpec && specMessage(map.innerMapSpec),
    numaNode: map.numaNode,
  };
}

/** The spec of an inner map, which has no inner maps itself. */
function specMessage(spec: MapSpec): MessageInitShape<typeof MapSpecSchema> {
  const { type, name, keySize, valueSize, maxEntries, flags, mapExtra, numaNode, ifindex } = spec;
  return {
    ...{ type, name, keySize, valueSize, maxEntries, flags, mapExtra, numaNode, ifindex },
    btfVmlinuxValueTypeId: spec.btfVmlinuxValueTypeId,
    btfId: spec.btfId ?? 0,
    btfKeyTypeId: spec.btfKeyTypeId ?? 0,
    btfValueTypeId: spec.btfValueTypeId ?? 0,
  };
}

/** A hold as the contract tells it. */
export function holdMessage({
  name,
  leaseMs,
  expiresAtMs,
}: Hold): MessageInitShape<typeof HoldSchema> {
  return {
    name,
    lease: leaseMs === undefined ? undefined : durationFromMs(leaseMs),
    expiresAt: expiresAtMs === undefined ? undefined : timestampFromMs(expiresAtMs),
  };
}

/** What a request wants to know of a map; nothing extra where it does not say. */
export function toMapDetail(message: MapDetailMessage | undefined): MapDetail {
  const { pins, holders, programs, innerMap } = message ?? {};
  return {
    pins: pins ?? false,
    holders: holders ?? false,
    programs: programs ?? false,
    innerMap: innerMap ?? false,
  };
}
