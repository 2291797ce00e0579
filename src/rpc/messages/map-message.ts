import type { HoldSchema, MapDetail as MapDetailMessage, MapSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Hold, MapDetail, MapRecord } from "../../maps/index.js";

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
  return { pins: message?.pins ?? false, holders: message?.holders ?? false };
}
