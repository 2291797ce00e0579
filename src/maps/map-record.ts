import type { MapSpec } from "./map-spec.js";
import type { MapType } from "./map-type.js";

/** A hold of the daemon on a map. */
export interface Hold {
  readonly name: string;
  /** Time to live of the lease, in milliseconds; absent for a hold without one. */
  readonly leaseMs?: number | undefined;
  /** When the lease runs out unless it is kept alive, in milliseconds since the epoch. */
  readonly expiresAtMs?: number | undefined;
}

/** A process that has a map open. */
export interface Holder {
  readonly pid: number;
  readonly comm: string;
}

/** A program that uses a map. */
export interface ProgramUse {
  readonly id: number;
  readonly name: string;
  /** `enum bpf_prog_type`. */
  readonly type: number;
}

/** Everything the contract's `Map` says of a map; the same units and meanings. */
export interface MapRecord {
  readonly id: number;
  readonly type: MapType;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly valueStride: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly mapExtra: bigint;
  readonly ifindex: number;
  readonly btfId: number;
  readonly btfKeyTypeId: number;
  readonly btfValueTypeId: number;
  readonly btfVmlinuxValueTypeId: number;
  readonly memlockBytes?: number | undefined;
  readonly frozen?: boolean | undefined;
  readonly ownerProgType?: number | undefined;
  readonly ownerJited?: boolean | undefined;
  /** Possible CPUs in slot order for per-CPU maps, empty for others. */
  readonly cpus: readonly number[];
  readonly pinPaths: readonly string[];
  readonly holds: readonly Hold[];
  readonly holders: readonly Holder[];
  readonly bootId: string;
  readonly programs: readonly ProgramUse[];
  /** Elements whose kernel objects the daemon keeps open. */
  readonly keptObjects: number;
  /** What inner maps must be like, told from one that is there. */
  readonly innerMapSpec?: MapSpec | undefined;
  /** Where the daemon created the map with NUMA_NODE. */
  readonly numaNode?: number | undefined;
}

/** What to tell of a map beyond what costs next to nothing. */
export interface MapDetail {
  /** Walk the bpffs roots for the map's pins. */
  readonly pins?: boolean | undefined;
  /** Walk all processes for those that have the map open. */
  readonly holders?: boolean | undefined;
  /** Walk all programs for those that use the map. */
  readonly programs?: boolean | undefined;
  /** Open an inner map, to tell what they are like. */
  readonly innerMap?: boolean | undefined;
}
