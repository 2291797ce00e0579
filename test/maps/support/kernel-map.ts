import { onTestFinished } from "vitest";
import {
  closeFd,
  ElementCalls,
  type MapCreation,
  mapCreate,
  mapInfo,
  possibleCpus,
} from "#dist/kernel/index.js";
import { layoutOf, type MapLayout } from "#dist/maps/map-layout.js";
import { CreateFlag } from "#dist/maps/map-spec.js";
import { MapType } from "#dist/maps/map-type.js";
import type { ScanTarget } from "#dist/maps/scan/scan-target.js";

/** The types of plain bytes whose elements have keys. */
export const WALKABLE = [
  "HASH",
  "LRU_HASH",
  "PERCPU_HASH",
  "LRU_PERCPU_HASH",
  "ARRAY",
  "PERCPU_ARRAY",
  "LPM_TRIE",
] as const;

export type Walkable = (typeof WALKABLE)[number];

/** A map of the test's own, freed when the test ends. */
export interface KernelMap {
  readonly fd: number;
  readonly id: number;
  readonly layout: MapLayout;
  readonly target: ScanTarget;
}

/** How a map differs from 4-byte keys (8 for tries), 8-byte values and 1000 entries. */
export type Shape = Partial<Omit<MapCreation, "type">>;

/** What the kernel is asked for to make a map of a type. */
export function creationOf(type: keyof typeof MapType, shape: Shape = {}): MapCreation {
  const flags = type === "LPM_TRIE" ? 1 : 0;
  const keySize = type === "LPM_TRIE" ? 8 : 4;
  return { type: MapType[type], keySize, valueSize: 8, maxEntries: 1000, flags, ...shape };
}

export function makeMap(type: keyof typeof MapType, shape: Shape = {}): KernelMap {
  const fd = mapCreate(creationOf(type, shape));
  onTestFinished(() => closeFd(fd));
  const info = mapInfo(fd);
  const layout = layoutOf(info, possibleCpus());
  const isMappable = type === "ARRAY" && (info.flags & CreateFlag.MMAPABLE) !== 0;
  return { fd, id: info.id, layout, target: { ...targetOf(fd, layout, type), isMappable } };
}

/** What a 6.18 kernel can do with maps of a type, without a capability table. */
function targetOf(fd: number, layout: MapLayout, type: keyof typeof MapType): ScanTarget {
  const isArray = type === "ARRAY" || type === "PERCPU_ARRAY";
  const keyKind = isArray ? "index" : type === "LPM_TRIE" ? "prefix" : "bytes";
  return {
    fd,
    label: `map of the test (${type})`,
    layout,
    keyKind,
    lookupBatch: true,
    updateBatch: true,
    deleteBatch: !isArray,
    isMappable: false,
  };
}

/** The same target on a kernel without batch calls. */
export function withoutBatches(target: ScanTarget): ScanTarget {
  return {
    ...target,
    lookupBatch: false,
    updateBatch: false,
    deleteBatch: false,
    isMappable: false,
  };
}

/** Single calls on a map, each of which must succeed; for setting a stage. */
export class Hand {
  readonly #calls: ElementCalls;

  constructor(map: { fd: number; layout: MapLayout }) {
    this.#calls = new ElementCalls(map.fd, map.layout.keySize, map.layout.valueStride);
    onTestFinished(() => this.#calls.release());
  }

  update(key: Uint8Array, value: Uint8Array): void {
    this.#calls.key.set(key);
    this.#calls.value.set(value);
    must("update", this.#calls.update());
  }

  delete(key: Uint8Array): void {
    this.#calls.key.set(key);
    must("delete", this.#calls.delete());
  }

  deleteIfThere(key: Uint8Array): void {
    this.#calls.key.set(key);
    const errno = this.#calls.delete();
    if (errno !== "ENOENT") must("delete", errno);
  }

  /** The value of a key, or undefined. */
  lookup(key: Uint8Array): Buffer | undefined {
    this.#calls.key.set(key);
    const errno = this.#calls.lookup();
    if (errno === "ENOENT") return undefined;
    must("look up", errno);
    return Buffer.from(this.#calls.value);
  }

  /** Every key in the kernel's own order, by BPF_MAP_GET_NEXT_KEY. */
  keys(): Buffer[] {
    const keys: Buffer[] = [];
    for (let errno = this.#calls.firstKey(); errno !== "ENOENT"; errno = this.#calls.nextKey()) {
      must("find the next key", errno);
      this.#calls.following.copy(this.#calls.key);
      keys.push(Buffer.from(this.#calls.key));
    }
    return keys;
  }

  /** All elements, by hex of the key. */
  contents(): Map<string, string> {
    const contents = new Map<string, string>();
    for (const key of this.keys()) {
      const value = this.lookup(key);
      if (value) contents.set(key.toString("hex"), value.toString("hex"));
    }
    return contents;
  }
}

function must(what: string, errno: string | undefined): void {
  if (errno !== undefined) throw new Error(`cannot ${what}: ${errno}`);
}
