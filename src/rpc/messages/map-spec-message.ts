import type { HoldSpec, MapSpec as MapSpecMessage } from "@bpfmapd/client/proto";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { fieldError, type HoldRequest, type MapAccess, type MapSpec } from "../../maps/index.js";
import type { CallGuard } from "../gate/call-guard.js";
import { toMapRef } from "./map-ref-message.js";

/**
 * The spec that a request gives.
 *
 * @param access what the caller may do with a map that is the template of inner maps
 * @param field its path in the request
 */
export function toMapSpec(
  message: MapSpecMessage | undefined,
  access: MapAccess | undefined,
  field = "spec",
): MapSpec {
  if (message === undefined) throw fieldError("FIELD_INVALID", field, "is missing");
  const { innerMapSpec, innerMap } = message;
  return {
    type: message.type,
    name: message.name,
    keySize: message.keySize,
    valueSize: message.valueSize,
    maxEntries: message.maxEntries,
    flags: message.flags,
    mapExtra: message.mapExtra,
    numaNode: message.numaNode,
    ifindex: message.ifindex,
    innerMapSpec: innerMapSpec && toMapSpec(innerMapSpec, access, `${field}.inner_map_spec`),
    innerMap: innerMap && toMapRef(innerMap, access, `${field}.inner_map`),
    btfVmlinuxValueTypeId: message.btfVmlinuxValueTypeId,
    ...(message.btf.length > 0 && { btf: message.btf }),
    ...(message.btfId !== 0 && { btfId: message.btfId }),
    ...(message.btfKeyTypeId !== 0 && { btfKeyTypeId: message.btfKeyTypeId }),
    ...(message.btfValueTypeId !== 0 && { btfValueTypeId: message.btfValueTypeId }),
  };
}

/** The hold that a request asks for, counted for its caller. */
export function toHold(message: HoldSpec | undefined, guard: CallGuard | undefined): HoldRequest {
  if (message === undefined) throw fieldError("FIELD_INVALID", "hold", "is missing");
  const { name, lease } = message;
  return {
    name,
    ...(lease !== undefined && { leaseMs: durationMs(lease) }),
    ...(guard && { claim: () => guard.share.claimHold() }),
  };
}
