import { CreateFlag, MapType } from "@bpfmapd/client/proto";

/** The size of a map's elements, in bytes; both multiples of 4. */
export interface ElementShape {
  /** As it stands in the names of cases: "h48" is 4-byte keys and 8-byte values. */
  name: string;
  keySize: number;
  valueSize: number;
}

/** A kind of map that cases measure on. */
export interface MapKind extends ElementShape {
  /** In sentences: "hash map". */
  title: string;
  type: MapType;
  flags?: number;
  /** Keys that the type allows: any (the default), 0 to count - 1, or whole IPv4 addresses. */
  keys?: "index" | "prefix";
  /** Whether there is a value for each CPU. */
  perCpu?: boolean;
  /** How many times its elements it has room for; 1 unless given. */
  room?: number;
}

const small = { keySize: 4, valueSize: 8 };

export const h48: MapKind = { name: "h48", title: "hash map", type: MapType.HASH, ...small };

export const h1664: MapKind = { ...h48, name: "h1664", keySize: 16, valueSize: 64 };

export const array: MapKind = {
  ...{ name: "array", title: "array", type: MapType.ARRAY, keys: "index" },
  ...small,
};

export const mmapable: MapKind = {
  ...array,
  ...{ name: "mmapable", title: "BPF_F_MMAPABLE array", flags: CreateFlag.MMAPABLE },
};

export const perCpuHash: MapKind = {
  ...{ name: "percpu", title: "per-CPU hash map", type: MapType.PERCPU_HASH, perCpu: true },
  ...small,
};

export const lpmTrie: MapKind = {
  ...{ name: "lpm", title: "LPM trie", type: MapType.LPM_TRIE, keys: "prefix" },
  ...{ keySize: 8, valueSize: 8, flags: CreateFlag.NO_PREALLOC },
};

/** Its lists of free elements are each CPU's own, so that a tight one evicts while it is filled. */
export const lruHash: MapKind = {
  ...{ name: "lru", title: "LRU hash map", type: MapType.LRU_HASH, room: 2 },
  ...small,
};

/** Elements as columns: keys back to back, values back to back. */
export interface Columns {
  count: number;
  keys: Uint8Array;
  values: Uint8Array;
}

/** An odd multiplier maps the numbers below 2^32 one to one, so all keys differ. */
const SCATTER = 0x9e3779b1;

/** Elements number `from` to `from + count - 1`; peers/batch-load.c makes the same ones. */
export function elements(
  shape: ElementShape & Pick<MapKind, "keys">,
  from: number,
  count: number,
): Columns {
  return {
    count,
    keys: keyColumn(shape, from, count),
    values: column(from, count, shape.valueSize, 1),
  };
}

function keyColumn(
  { keys, keySize }: ElementShape & Pick<MapKind, "keys">,
  from: number,
  count: number,
): Uint8Array {
  if (keys === "index") return column(from, count, keySize, 1);
  if (keys !== "prefix") return column(from, count, keySize, SCATTER);
  const words = new Uint32Array(count * 2);
  for (let i = 0; i < count; i++) {
    words[2 * i] = 32;
    words[2 * i + 1] = Math.imul(from + i, SCATTER);
  }
  return new Uint8Array(words.buffer);
}

function column(from: number, count: number, size: number, multiplier: number): Uint8Array {
  const perElement = size / 4;
  const words = new Uint32Array(count * perElement);
  for (let i = 0; i < count; i++) {
    const base = Math.imul(from + i, multiplier);
    for (let word = 0; word < perElement; word++) words[i * perElement + word] = base + word;
  }
  return new Uint8Array(words.buffer);
}

/** `count` elements in chunks of about `chunkBytes`. */
export function elementChunks(
  shape: ElementShape & Pick<MapKind, "keys">,
  count: number,
  chunkBytes: number,
): Columns[] {
  const perChunk = Math.max(1, Math.floor(chunkBytes / (shape.keySize + shape.valueSize)));
  const chunks: Columns[] = [];
  for (let from = 0; from < count; from += perChunk) {
    chunks.push(elements(shape, from, Math.min(perChunk, count - from)));
  }
  return chunks;
}
