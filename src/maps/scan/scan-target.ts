import { type Errno, mapFdinfo } from "../../kernel/index.js";
import { explain } from "../explain.js";
import type { MapError } from "../map-error.js";
import type { MapHost } from "../map-host.js";
import type { MapLayout } from "../map-layout.js";
import { CreateFlag } from "../map-spec.js";
import { MapType } from "../map-type.js";
import { isUnreadable } from "../objects/value-kind.js";
import type { OpenMap } from "../open-map.js";

/** What a thread has to know of a map to walk and write it. Plain data. */
export interface ScanTarget {
  /** Stays open until the job has ended; the main thread closes it. */
  readonly fd: number;
  /** `OpenMap.label`. */
  readonly label: string;
  readonly layout: MapLayout;
  /** `TypeCapabilities.keyKind`. */
  readonly keyKind: string;
  /** Whether the kernel lists keys, but lets nobody read the values: they are zeros then. */
  readonly unreadable?: boolean;
  readonly lookupBatch: boolean;
  readonly updateBatch: boolean;
  readonly deleteBatch: boolean;
  /** Whether it is an array whose values can be read in place, through memory. */
  readonly isMappable: boolean;
}

/** The target that an open map is. */
export function scanTarget(host: MapHost, map: OpenMap): ScanTarget {
  const { type, flags } = map.info;
  return {
    fd: map.fd,
    label: map.label,
    layout: map.layout,
    keyKind: host.capabilities.of(type)?.keyKind ?? "bytes",
    unreadable: isUnreadable(map.info),
    lookupBatch: host.capabilities.supports(type, "lookup_batch"),
    updateBatch: host.capabilities.supports(type, "update_batch"),
    deleteBatch: host.capabilities.supports(type, "delete_batch"),
    isMappable: type === MapType.ARRAY && (flags & CreateFlag.MMAPABLE) !== 0,
  };
}

/** The error for what the kernel answered to an operation on a target. */
export function explainFor(target: ScanTarget, errno: Errno, operation: string): MapError {
  const isFrozen = () => mapFdinfo(target.fd).frozen ?? false;
  const { label: map, layout } = target;
  return explain(errno, { map, type: layout.type, operation, isFrozen });
}
