import type { MapInfo } from "../kernel/index.js";
import { MapType } from "./map-type.js";

const PER_CPU: ReadonlySet<MapType> = new Set([
  MapType.PERCPU_HASH,
  MapType.PERCPU_ARRAY,
  MapType.LRU_PERCPU_HASH,
  MapType.PERCPU_CGROUP_STORAGE,
]);

const KEYLESS: ReadonlySet<MapType> = new Set([MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER]);

/** Types whose elements all exist from the start and cannot be deleted. */
const FIXED: ReadonlySet<MapType> = new Set([MapType.ARRAY, MapType.PERCPU_ARRAY]);

/** Whether a type's values have one slot per possible CPU. */
export function isPerCpu(type: MapType): boolean {
  return PER_CPU.has(type);
}

/** Whether a type holds values without keys. */
export function isKeyless(type: MapType): boolean {
  return KEYLESS.has(type);
}

/** Whether a type's elements all exist from the start and cannot be deleted. */
export function isFixed(type: MapType): boolean {
  return FIXED.has(type);
}

/** Whether a type is a queue or a stack. */
export function isQueueOrStack(type: MapType): boolean {
  return type === MapType.QUEUE || type === MapType.STACK;
}

/** How elements of one map lie in memory; all sizes in bytes. Plain data. */
export interface MapLayout {
  readonly type: MapType;
  readonly keySize: number;
  /** Size of one value, of one CPU's value where the map is per-CPU. */
  readonly valueSize: number;
  /** Size of one CPU's slot: value_size rounded up to 8. Equals valueSize otherwise. */
  readonly slotSize: number;
  /** What one value takes in a column: all slots of it. */
  readonly valueStride: number;
  readonly maxEntries: number;
  /** Possible CPUs in slot order where the map is per-CPU, otherwise empty. */
  readonly cpus: readonly number[];
}

/** The layout of a map from the kernel's own info. */
export function layoutOf(info: MapInfo, possibleCpus: readonly number[]): MapLayout {
  const { type, keySize, valueSize, maxEntries } = info;
  const perCpu = isPerCpu(type);
  const slotSize = perCpu ? (valueSize + 7) & ~7 : valueSize;
  return {
    type,
    keySize,
    valueSize,
    slotSize,
    valueStride: perCpu ? slotSize * possibleCpus.length : valueSize,
    maxEntries,
    cpus: perCpu ? possibleCpus : [],
  };
}
