import type { MapErrorReason } from "./map-error.js";

/**
 * Elements as columns, the shape of the kernel's batch calls: `count` keys back to
 * back, and as many values of the map's value stride.
 */
export interface Columns {
  readonly count: number;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

/** Whether an update may add or change an element: BPF_ANY, BPF_NOEXIST, BPF_EXIST. */
export type UpdateMode = "any" | "noexist" | "exist";

/** Whether a call with several elements ends at the first that is refused. */
export type OnError = "stop" | "continue";

/** How the slots of a per-CPU value become one value; words wrap around. */
export type CpuFold = "sum_u32" | "sum_u64" | "max_u32" | "max_u64";

/** Which slots of per-CPU values to read. */
export type CpuView = { readonly cpu: number } | { readonly fold: CpuFold };

/** Which slots of per-CPU values to write. */
export type CpuTarget = { readonly cpu: number } | { readonly allCpus: true };

/** An element of a request that the kernel refused. */
export interface ElementFailure {
  /** Its position in the request, from 0. */
  readonly index: number;
  readonly reason: MapErrorReason;
}
