import { type Errno, mapFdinfo } from "../../kernel/index.js";
import { explain } from "../explain.js";
import type { MapError } from "../map-error.js";
import type { MapHost } from "../map-host.js";
import type { MapLayout } from "../map-layout.js";
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
  readonly lookupBatch: boolean;
  readonly updateBatch: boolean;
  readonly deleteBatch: boolean;
}

/** The target that an open map is. */
export function scanTarget(host: MapHost, map: OpenMap): ScanTarget {
  const { type } = map.info;
  return {
    fd: map.fd,
    label: map.label,
    layout: map.layout,
    keyKind: host.capabilities.of(type)?.keyKind ?? "bytes",
    lookupBatch: host.capabilities.supports(type, "lookup_batch"),
    updateBatch: host.capabilities.supports(type, "update_batch"),
    deleteBatch: host.capabilities.supports(type, "delete_batch"),
  };
}

/** The error for what the kernel answered to an operation on a target. */
export function explainFor(target: ScanTarget, errno: Errno, operation: string): MapError {
  const isFrozen = () => mapFdinfo(target.fd).frozen ?? false;
  return explain(errno, { map: target.label, operation, isFrozen });
}
