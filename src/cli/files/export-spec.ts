import { type Map as BpfMap, CreateFlag, type MapSpecSchema, MapType } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { CliError } from "../cli-error.js";
import { hasInnerMaps } from "./object-translation.js";

/** What a new map shall have otherwise than the exported one. */
export interface SpecChanges {
  name?: string;
  entries?: number;
}

/** The spec of a map like the exported one. BTF cannot come back: its id is of one boot. */
export function specOf(map: BpfMap, changes: SpecChanges): MessageInitShape<typeof MapSpecSchema> {
  return {
    type: map.type,
    name: changes.name ?? map.name,
    keySize: map.keySize,
    valueSize: map.valueSize,
    maxEntries: changes.entries ?? map.maxEntries,
    flags: creationFlags(map),
    mapExtra: map.mapExtra,
    ...(map.numaNode !== undefined && { numaNode: map.numaNode }),
    ...(hasInnerMaps(map) && { innerMapSpec: innerSpecOf(map) }),
  };
}

/** Without what the kernel adds by itself, and a NUMA node that nobody knows. */
function creationFlags(map: BpfMap): number {
  const isDevices = map.type === MapType.DEVMAP || map.type === MapType.DEVMAP_HASH;
  const added = isDevices ? CreateFlag.RDONLY_PROG : 0;
  const unknown = map.numaNode === undefined ? CreateFlag.NUMA_NODE : 0;
  return map.flags & ~added & ~unknown;
}

function innerSpecOf(map: BpfMap): MessageInitShape<typeof MapSpecSchema> {
  if (map.innerMapSpec === undefined) {
    throw new CliError(
      "it had no inner map, so nothing tells what inner maps are like: create the map, then import into it",
    );
  }
  return { ...map.innerMapSpec, btfId: 0, btfKeyTypeId: 0, btfValueTypeId: 0 };
}
