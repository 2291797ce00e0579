import type { Map as BpfMap } from "@bpfmapd/client/proto";
import { isPerCpu } from "../grammar/map-type.js";

/** What elements from a file must be like to go into a map. */
export interface ElementTarget {
  readonly keySize: number;
  /** Bytes of one value; of one CPU's value where there are CPUs. */
  readonly valueSize: number;
  /** Bytes that a whole value takes on the wire. */
  readonly valueStride: number;
  /** The CPUs with a slot in each value, in slot order; undefined for plain values. */
  readonly cpus: readonly number[] | undefined;
}

export function elementTarget(map: BpfMap): ElementTarget {
  return {
    keySize: map.keySize,
    valueSize: map.valueSize,
    valueStride: map.valueStride,
    cpus: isPerCpu(map.type) ? map.cpus : undefined,
  };
}
