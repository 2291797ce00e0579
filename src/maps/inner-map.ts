import { ElementCalls, type MapInfo } from "../kernel/index.js";
import type { MapHost } from "./map-host.js";
import { CreateFlag, type MapSpec } from "./map-spec.js";
import { MapType } from "./map-type.js";
import type { OpenMap } from "./open-map.js";
import { whileContended } from "./retry.js";
import { factsOf } from "./type-facts.js";

/** Times to look again where an inner map was replaced between its id and its opening. */
const TRIES = 8;

/** Whether a map's values are maps. */
export function hasInnerMaps(map: OpenMap): boolean {
  return factsOf(map.info.type)?.hasInnerMap ?? false;
}

/** Opens the inner map in a slot; undefined for an empty one. The caller closes it. */
export function openInner(host: MapHost, outer: OpenMap, key: Uint8Array): OpenMap | undefined {
  const calls = new ElementCalls(outer.fd, outer.layout.keySize, outer.layout.valueStride);
  try {
    calls.key.set(key);
    for (let tries = 0; tries < TRIES; tries++) {
      const errno = whileContended(() => calls.lookup());
      if (errno === "ENOENT") return undefined;
      if (errno !== undefined) throw outer.explain(errno, "look up an inner map");
      // Freed since: the slot has another by now, or is empty.
      const inner = host.openById(calls.value.readUInt32LE());
      if (inner) return inner;
    }
    throw outer.explain("EBUSY", "open an inner map");
  } finally {
    calls.release();
  }
}

/** Opens the first inner map that there is; undefined where there is none. */
export function openAnyInner(host: MapHost, outer: OpenMap): OpenMap | undefined {
  const calls = new ElementCalls(outer.fd, outer.layout.keySize, 0);
  try {
    // An end even where the kernel starts again because keys are deleted meanwhile.
    let errno = calls.firstKey();
    for (let steps = outer.info.maxEntries; steps > 0 && errno === undefined; steps--) {
      const inner = openInner(host, outer, calls.following);
      if (inner) return inner;
      calls.following.copy(calls.key);
      errno = calls.nextKey();
    }
    return undefined;
  } finally {
    calls.release();
  }
}

/** The spec that makes a map like another, as far as the kernel tells of it. */
export function specLike(info: MapInfo): MapSpec {
  const { type, name, keySize, valueSize, maxEntries, mapExtra, ifindex } = info;
  return {
    ...{ type, name, keySize, valueSize, maxEntries, mapExtra, ifindex, numaNode: 0 },
    flags: creationFlags(info),
    btfVmlinuxValueTypeId: info.btfVmlinuxValueTypeId,
    ...(info.btfId !== 0 && {
      btfId: info.btfId,
      btfKeyTypeId: info.btfKeyTypeId,
      btfValueTypeId: info.btfValueTypeId,
    }),
  };
}

/** Without what the kernel adds by itself (dev_map_init_map) and would not take. */
function creationFlags({ type, flags }: MapInfo): number {
  const isDevices = type === MapType.DEVMAP || type === MapType.DEVMAP_HASH;
  return isDevices ? flags & ~CreateFlag.RDONLY_PROG : flags;
}
