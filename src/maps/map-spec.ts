import type { MapRef } from "./map-ref.js";
import type { MapType } from "./map-type.js";

/** What a map to be created should be; the contract's `MapSpec`. */
export interface MapSpec {
  readonly type: MapType;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** An OR of {@link CreateFlag}. */
  readonly flags: number;
  readonly mapExtra: bigint;
  readonly numaNode: number;
  readonly ifindex: number;
  readonly innerMapSpec?: MapSpec | undefined;
  readonly innerMap?: MapRef | undefined;
  readonly btfVmlinuxValueTypeId: number;
  /** BTF that describes keys and values, to be loaded for the map. */
  readonly btf?: Uint8Array | undefined;
  /** Id of a loaded BTF object, instead of {@link btf}. */
  readonly btfId?: number | undefined;
  /** Type ids in that BTF; 0 or absent for none. */
  readonly btfKeyTypeId?: number | undefined;
  readonly btfValueTypeId?: number | undefined;
}

/** The kernel's `BPF_F_*` create flags, by the names of the contract's `CreateFlag`. */
export const CreateFlag = {
  NO_PREALLOC: 1,
  NO_COMMON_LRU: 2,
  NUMA_NODE: 4,
  RDONLY: 8,
  WRONLY: 16,
  STACK_BUILD_ID: 32,
  ZERO_SEED: 64,
  RDONLY_PROG: 128,
  WRONLY_PROG: 256,
  CLONE: 512,
  MMAPABLE: 1024,
  PRESERVE_ELEMS: 2048,
  INNER_MAP: 4096,
  LINK: 8192,
  PATH_FD: 16384,
  VTYPE_BTF_OBJ_FD: 32768,
  TOKEN_FD: 65536,
  SEGV_ON_FAULT: 131072,
  NO_USER_CONV: 262144,
  RB_OVERWRITE: 524288,
} as const;
