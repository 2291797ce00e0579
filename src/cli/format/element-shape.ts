import type { Map as BpfMap } from "@bpfmapd/client/proto";
import { isPerCpu } from "../grammar/map-type.js";

/** What of a map decides how its elements are written. */
export interface ElementShape {
  readonly keySize: number;
  /** Bytes of one value; of one CPU's value where there are CPUs. */
  readonly valueSize: number;
  /** The CPUs that a value has a slot for, in slot order; undefined for one plain value. */
  readonly cpus: readonly number[] | undefined;
}

/**
 * The shape of a map's elements. With `singleValue` (one CPU's slot, or all folded
 * into one) per-CPU values are plain ones.
 */
export function elementShape(map: BpfMap, singleValue = false): ElementShape {
  return {
    keySize: map.keySize,
    valueSize: map.valueSize,
    cpus: isPerCpu(map.type) && !singleValue ? map.cpus : undefined,
  };
}

/** Offset of a CPU's slot in a value: slots are rounded up to 8 bytes. */
export function slotOffset(shape: ElementShape, slot: number): number {
  return slot * Math.ceil(shape.valueSize / 8) * 8;
}
