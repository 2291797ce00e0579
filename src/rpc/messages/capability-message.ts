import {
  Availability,
  KeyKind,
  MapOperation as MapOperationEnum,
  type MapType,
  type MapTypeCapabilitiesSchema,
  SingleCpuWrite,
  ValueKind,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MapOperation, TypeCapabilities } from "../../maps/index.js";

type CapabilityMessage = MessageInitShape<typeof MapTypeCapabilitiesSchema>;

/** What the kernel accepts for a type, as the contract tells it. */
export function capabilityMessage(type: TypeCapabilities): CapabilityMessage {
  return {
    type: type.type,
    name: type.name,
    availability: availabilities[type.availability],
    operations: type.operations.map((operation) => operations[operation]),
    createFlags: type.createFlags,
    requiredCreateFlags: type.requiredCreateFlags,
    keyKind: keyKinds[type.keyKind],
    valueKind: valueKinds[type.valueKind],
    minKeySize: type.minKeySize,
    maxKeySize: type.maxKeySize,
    minValueSize: type.minValueSize,
    maxValueSize: type.maxValueSize,
    zeroMaxEntries: type.zeroMaxEntries,
    singleCpuWrite: singleCpuWrite(type.singleCpuWrite),
    evicts: type.evicts,
    notes: type.notes,
  };
}

/** The answer for a type that this version does not know: asked for, so not left out. */
export function unknownCapabilityMessage(type: MapType): CapabilityMessage {
  return {
    type,
    availability: Availability.UNSPECIFIED,
    notes: "This version of the daemon does not know the type.",
  };
}

const availabilities: Record<TypeCapabilities["availability"], Availability> = {
  available: Availability.AVAILABLE,
  unavailable: Availability.UNAVAILABLE,
  denied: Availability.DENIED,
};

const operations: Record<MapOperation, MapOperationEnum> = {
  lookup: MapOperationEnum.LOOKUP,
  update: MapOperationEnum.UPDATE,
  delete: MapOperationEnum.DELETE,
  next_key: MapOperationEnum.NEXT_KEY,
  lookup_and_delete: MapOperationEnum.LOOKUP_AND_DELETE,
  lookup_batch: MapOperationEnum.LOOKUP_BATCH,
  update_batch: MapOperationEnum.UPDATE_BATCH,
  delete_batch: MapOperationEnum.DELETE_BATCH,
  lookup_and_delete_batch: MapOperationEnum.LOOKUP_AND_DELETE_BATCH,
  freeze: MapOperationEnum.FREEZE,
};

const keyKinds: Record<TypeCapabilities["keyKind"], KeyKind> = {
  bytes: KeyKind.BYTES,
  index: KeyKind.INDEX,
  prefix: KeyKind.PREFIX,
  none: KeyKind.NONE,
  object: KeyKind.OBJECT,
};

const valueKinds: Record<TypeCapabilities["valueKind"], ValueKind> = {
  bytes: ValueKind.BYTES,
  perCpu: ValueKind.PER_CPU,
  object: ValueKind.OBJECT,
  memory: ValueKind.MEMORY,
};

function singleCpuWrite(way: TypeCapabilities["singleCpuWrite"]): SingleCpuWrite {
  switch (way) {
    case "kernel":
      return SingleCpuWrite.KERNEL;
    case "readModifyWrite":
      return SingleCpuWrite.READ_MODIFY_WRITE;
    case undefined:
      return SingleCpuWrite.UNSPECIFIED;
  }
}
