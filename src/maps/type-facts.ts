import type { Capability } from "../kernel/index.js";
import { CreateFlag } from "./map-spec.js";
import { MapType } from "./map-type.js";
import { atLeast, between, either, exactly, NONE, type SizeRule } from "./type-facts-size.js";

/** What the keys of a type are; the contract's `KeyKind`. */
export type KeyKind = "bytes" | "index" | "prefix" | "none" | "object";

/** What the values of a type are; the contract's `ValueKind`. */
export type ValueKind = "bytes" | "perCpu" | "object" | "memory";

/**
 * What max_entries may be: any number from 1, always 0, always 1, the bytes of a ring
 * (a power of two and whole pages), the pages of an arena (4 GiB together at most), or
 * at most as many as the kernel was built for CPUs.
 */
export type EntriesRule = "any" | "zero" | "one" | "ring" | "pages" | "cpus";

/** What map_extra may be: nothing, a count of hash functions, or an address. */
export type ExtraRule = "none" | "hashes" | "address" | "hint";

/**
 * Where the kernel's own limit on value_size shows, for a type that sets none: in the
 * check before a map is made, when it is made, or in the largest object that the kernel
 * can allocate, because each trial would allocate a value for every CPU.
 */
export type ValueLimit = "check" | "creation" | "allocation";

/**
 * What every kernel that has a type says of it. What differs between kernels is not
 * here but probed.
 */
export interface TypeFacts {
  readonly type: MapType;
  /** Name in bpftool's and libbpf's spelling. */
  readonly name: string;
  readonly keyKind: KeyKind;
  readonly valueKind: ValueKind;
  readonly keySize: SizeRule;
  readonly valueSize: SizeRule;
  readonly maxEntries: EntriesRule;
  readonly mapExtra: ExtraRule;
  /** An OR of the create flags without which the kernel refuses the type. */
  readonly requiredFlags: number;
  /** Whether a full map evicts elements instead of refusing new ones. */
  readonly evicts: boolean;
  /** Whether creation needs a template of the inner maps. */
  readonly hasInnerMap: boolean;
  /** What BTF creation needs: a BTF object at all, or one with types for key and value. */
  readonly btf: "none" | "object" | "types";
  /** Whether the kernel answers EINVAL to the deletion of an element that is not there. */
  readonly emptyDeleteIsEinval: boolean;
  /** Whether the kernel adds elements by itself, so that no update can (BPF_NOEXIST). */
  readonly addedByKernel: boolean;
  readonly valueLimit: ValueLimit;
  /** What a process needs beside CAP_BPF to create a map of the type. */
  readonly capability: Capability;
  /** Constraints and traps that the rest cannot say, for people. */
  readonly notes: string;
}

type Row = Pick<TypeFacts, "name"> & Partial<TypeFacts>;

/** What a row leaves out: an ordinary map of plain bytes. */
const ORDINARY: Omit<TypeFacts, "type" | "name"> = {
  keyKind: "bytes",
  valueKind: "bytes",
  keySize: atLeast(1),
  valueSize: atLeast(1),
  maxEntries: "any",
  mapExtra: "none",
  requiredFlags: 0,
  evicts: false,
  hasInnerMap: false,
  btf: "none",
  emptyDeleteIsEinval: false,
  addedByKernel: false,
  valueLimit: "check",
  capability: "CAP_BPF",
  notes: "",
};

const INDEXED = { keyKind: "index", keySize: exactly(4) } as const;
const KEYLESS = { keyKind: "none", keySize: NONE } as const;
const FD_VALUE = { valueKind: "object", valueSize: exactly(4) } as const;
const INNER_MAPS = { ...FD_VALUE, hasInnerMap: true } as const;
const NETWORK = { valueKind: "object", capability: "CAP_NET_ADMIN" } as const;
const RING = { ...KEYLESS, valueKind: "memory", valueSize: NONE, maxEntries: "ring" } as const;
const LOCAL_STORAGE = {
  keyKind: "object",
  keySize: exactly(4),
  maxEntries: "zero",
  requiredFlags: CreateFlag.NO_PREALLOC,
  btf: "types",
} as const;
const CGROUP_STORAGE = {
  keySize: either(16, 8),
  maxEntries: "zero",
  addedByKernel: true,
  valueLimit: "creation",
} as const;

const LRU_NOTE = "Capacity is approximate; changing existing elements may evict others.";
const CGROUP_STORAGE_NOTE =
  "Deprecated by the kernel. Keys are cgroup ids, or { u64 cgroup id; u32 attach type }; " +
  "a value can only be written where an attached program made its storage.";
const STORAGE_NOTE = "Elements cannot be listed. BTF is made by the daemon where none is given.";

const ROWS: Readonly<Record<keyof typeof MapType, Row>> = {
  HASH: { name: "hash" },
  ARRAY: { name: "array", ...INDEXED, notes: "All elements exist from the start, as zeros." },
  PROG_ARRAY: {
    name: "prog_array",
    ...INDEXED,
    ...FD_VALUE,
    notes: "Values are programs of one type. Empties with the map's last fd or pin.",
  },
  PERF_EVENT_ARRAY: {
    name: "perf_event_array",
    ...INDEXED,
    ...FD_VALUE,
    notes:
      "Values are perf events, not readable; gone with the fd of the map that wrote them, " +
      "which is kept while the daemon holds the map, unless PRESERVE_ELEMS is set.",
  },
  PERCPU_HASH: { name: "percpu_hash", valueKind: "perCpu" },
  PERCPU_ARRAY: {
    name: "percpu_array",
    ...INDEXED,
    valueKind: "perCpu",
    notes: "All elements exist from the start, as zeros.",
  },
  STACK_TRACE: {
    name: "stack_trace",
    valueKind: "object",
    keySize: exactly(4),
    valueSize: { ...atLeast(8), multipleOf: 8 },
    valueLimit: "creation",
    notes:
      "value_size is 8 bytes a frame, 32 with STACK_BUILD_ID; at most " +
      "kernel.perf_event_max_stack frames. Keys are stack ids, which may exceed max_entries.",
  },
  CGROUP_ARRAY: {
    name: "cgroup_array",
    ...INDEXED,
    ...FD_VALUE,
    notes: "Values are cgroups of version 2, not readable.",
  },
  LRU_HASH: {
    name: "lru_hash",
    evicts: true,
    notes: `${LRU_NOTE} With NO_COMMON_LRU max_entries is rounded up to a multiple of the CPUs.`,
  },
  LRU_PERCPU_HASH: {
    name: "lru_percpu_hash",
    valueKind: "perCpu",
    evicts: true,
    notes: `${LRU_NOTE} With NO_COMMON_LRU max_entries is rounded up to a multiple of the CPUs.`,
  },
  LPM_TRIE: {
    name: "lpm_trie",
    keyKind: "prefix",
    keySize: between(5, 260),
    valueLimit: "allocation",
    requiredFlags: CreateFlag.NO_PREALLOC,
    notes:
      "Keys are { u32 prefix length; big-endian data }. Lookups answer the longest prefix that " +
      "covers the key; a full trie answers ENOSPC.",
  },
  ARRAY_OF_MAPS: {
    name: "array_of_maps",
    ...INDEXED,
    ...INNER_MAPS,
    notes: "Values are maps; inner maps must equal the template.",
  },
  HASH_OF_MAPS: {
    name: "hash_of_maps",
    ...INNER_MAPS,
    notes: "Values are maps; inner maps must equal the template.",
  },
  DEVMAP: {
    name: "devmap",
    ...INDEXED,
    ...NETWORK,
    valueSize: either(4, 8),
    notes: "Values are network interfaces, with value_size 8 perhaps with an XDP program.",
  },
  SOCKMAP: {
    name: "sockmap",
    ...INDEXED,
    ...NETWORK,
    valueSize: either(4, 8),
    emptyDeleteIsEinval: true,
    notes: "Values are sockets; told by cookie when read, with value_size 8 only.",
  },
  CPUMAP: {
    name: "cpumap",
    ...INDEXED,
    valueKind: "object",
    valueSize: either(4, 8),
    maxEntries: "cpus",
    notes: "Values are queues of CPUs, with value_size 8 perhaps with an XDP program.",
  },
  XSKMAP: {
    name: "xskmap",
    ...INDEXED,
    ...FD_VALUE,
    ...NETWORK,
    notes:
      "Values are AF_XDP sockets, not readable; gone when the socket closes. Deleting an empty " +
      "slot succeeds, so ClearMap counts every slot.",
  },
  SOCKHASH: {
    name: "sockhash",
    keySize: between(1, 512),
    ...NETWORK,
    valueSize: either(4, 8),
    notes: "Values are sockets; told by cookie when read, with value_size 8 only.",
  },
  CGROUP_STORAGE: { name: "cgroup_storage", ...CGROUP_STORAGE, notes: CGROUP_STORAGE_NOTE },
  REUSEPORT_SOCKARRAY: {
    name: "reuseport_sockarray",
    ...INDEXED,
    valueKind: "object",
    valueSize: either(4, 8),
    notes:
      "Values are SO_REUSEPORT sockets, each in one map of the type only; told by cookie when " +
      "read, with value_size 8 only.",
  },
  PERCPU_CGROUP_STORAGE: {
    name: "percpu_cgroup_storage",
    ...CGROUP_STORAGE,
    valueKind: "perCpu",
    notes: CGROUP_STORAGE_NOTE,
  },
  QUEUE: { name: "queue", ...KEYLESS, notes: "First in, first out." },
  STACK: { name: "stack", ...KEYLESS, notes: "Last in, first out." },
  SK_STORAGE: {
    name: "sk_storage",
    ...LOCAL_STORAGE,
    notes: `Keys are sockets. ${STORAGE_NOTE}`,
  },
  DEVMAP_HASH: {
    name: "devmap_hash",
    keySize: exactly(4),
    ...NETWORK,
    valueSize: either(4, 8),
    notes:
      "Values as in devmap, but never ifindex 0. An update that demands an existing element " +
      "inserts a missing one.",
  },
  STRUCT_OPS: {
    name: "struct_ops",
    ...INDEXED,
    valueKind: "object",
    maxEntries: "one",
    btf: "object",
    notes:
      "The only key is 0; value_size is that of btf_vmlinux_value_type_id. Updating registers, " +
      "deleting unregisters the operations, except with LINK. Values are read, not written, here.",
  },
  RINGBUF: {
    name: "ringbuf",
    ...RING,
    notes:
      "max_entries is the size in bytes: a power of two, in whole pages. ReadRecords takes the " +
      "records out.",
  },
  INODE_STORAGE: {
    name: "inode_storage",
    ...LOCAL_STORAGE,
    notes: `Keys are inodes, by path. ${STORAGE_NOTE}`,
  },
  TASK_STORAGE: {
    name: "task_storage",
    ...LOCAL_STORAGE,
    notes: `Keys are processes. ${STORAGE_NOTE}`,
  },
  BLOOM_FILTER: {
    name: "bloom_filter",
    ...KEYLESS,
    mapExtra: "hashes",
    notes:
      "Lookups take the value: found means perhaps, not found means no. map_extra is the number " +
      "of hash functions, up to 15; 0 for 5.",
  },
  USER_RINGBUF: {
    name: "user_ringbuf",
    ...RING,
    notes:
      "max_entries is the size in bytes: a power of two, in whole pages. WriteRecords puts " +
      "records in.",
  },
  CGRP_STORAGE: {
    name: "cgrp_storage",
    ...LOCAL_STORAGE,
    notes: `Keys are cgroups. ${STORAGE_NOTE}`,
  },
  ARENA: {
    name: "arena",
    ...KEYLESS,
    valueKind: "memory",
    valueSize: NONE,
    maxEntries: "pages",
    mapExtra: "address",
    requiredFlags: CreateFlag.MMAPABLE,
    notes:
      "max_entries is the size in pages, 4 GiB at most; map_extra is the user address, of a " +
      "whole page, or 0 for that of the first mapping. Not to be frozen once it was mapped.",
  },
  INSN_ARRAY: {
    name: "insn_array",
    ...INDEXED,
    valueSize: exactly(16),
    notes:
      "Values are { u32 orig_off, xlated_off, jitted_off, 0 }; only orig_off can be written. " +
      "Must be frozen before a program uses it.",
  },
  RHASH: {
    name: "rhash",
    keySize: between(1, 65535),
    mapExtra: "hint",
    requiredFlags: CreateFlag.NO_PREALLOC,
    notes: "Grows and shrinks. Updates change values in place, so plain reads may be torn.",
  },
};

const FACTS: ReadonlyMap<MapType, TypeFacts> = new Map(
  (Object.entries(ROWS) as [keyof typeof MapType, Row][]).map(([key, row]) => {
    const type = MapType[key];
    return [type, { ...ORDINARY, ...row, type }];
  }),
);

/** Every type that this version knows, by ascending number. */
export const TYPE_FACTS: readonly TypeFacts[] = [...FACTS.values()];

/** The facts of one type; undefined for a type that this version does not know. */
export function factsOf(type: MapType): TypeFacts | undefined {
  return FACTS.get(type);
}
