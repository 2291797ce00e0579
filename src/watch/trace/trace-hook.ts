import { MapType } from "../../maps/index.js";

/**
 * A function of the kernel whose return tells of a change.
 *
 * - `put`, `delete`: of the key that its second argument points to.
 * - `evict`: of the element whose LRU node its second argument is; its first argument is
 *   the map, in the hash table's own struct. Returns whether it did.
 * - `take-batch`: any number of elements, where its fourth argument is true.
 */
export interface TraceHook {
  readonly name: string;
  readonly tells: "put" | "delete" | "evict" | "take-batch";
  readonly argumentCount: number;
  /** Whether the third argument points to the value as the map then has it whole. */
  readonly hasValue?: boolean;
  /** Whether tracing is possible without it: compilers inline some functions. */
  readonly optional?: boolean;
}

const put = (name: string): TraceHook => ({ name, tells: "put", argumentCount: 4, hasValue: true });
/** Programs write the slot of the CPU they run on. */
const putOneCpu = (name: string): TraceHook => ({ name, tells: "put", argumentCount: 4 });
const remove = (name: string): TraceHook => ({ name, tells: "delete", argumentCount: 2 });

const TAKE: readonly TraceHook[] = [
  {
    name: "__htab_map_lookup_and_delete_elem",
    tells: "delete",
    argumentCount: 6,
    optional: true,
  },
  {
    name: "__htab_map_lookup_and_delete_batch",
    tells: "take-batch",
    argumentCount: 6,
    optional: true,
  },
];
const EVICT: TraceHook = { name: "htab_lru_map_delete_node", tells: "evict", argumentCount: 2 };

/**
 * What must be traced for each type: which functions see calls by system call, in
 * batches and by programs was measured on Linux 6.1 and 6.12.
 */
const HOOKS: Readonly<Record<number, readonly TraceHook[]>> = {
  [MapType.HASH]: [put("htab_map_update_elem"), remove("htab_map_delete_elem"), ...TAKE],
  [MapType.LRU_HASH]: [
    put("htab_lru_map_update_elem"),
    remove("htab_lru_map_delete_elem"),
    EVICT,
    ...TAKE,
  ],
  [MapType.PERCPU_HASH]: [
    putOneCpu("htab_percpu_map_update_elem"),
    put("bpf_percpu_hash_update"),
    remove("htab_map_delete_elem"),
    ...TAKE,
  ],
  [MapType.LRU_PERCPU_HASH]: [
    putOneCpu("htab_lru_percpu_map_update_elem"),
    put("bpf_percpu_hash_update"),
    remove("htab_lru_map_delete_elem"),
    EVICT,
    ...TAKE,
  ],
  [MapType.ARRAY]: [put("array_map_update_elem")],
  [MapType.PERCPU_ARRAY]: [putOneCpu("array_map_update_elem"), put("bpf_percpu_array_update")],
  [MapType.LPM_TRIE]: [put("trie_update_elem"), remove("trie_delete_elem")],
};

/** The hooks of a map type; undefined where it cannot be traced. */
export function hooksOf(type: MapType): readonly TraceHook[] | undefined {
  return HOOKS[type];
}
