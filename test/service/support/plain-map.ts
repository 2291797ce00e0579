import type { MapHandle } from "@bpfmapd/client";
import { CreateFlag, type Map as MapMessage, MapType } from "@bpfmapd/client/proto";
import { onTestFinished } from "vitest";
import type { TestDaemon } from "../../support/daemon.js";

/** What a test knows of a type of plain bytes beside what the service tells. */
export interface PlainType {
  readonly type: MapType;
  /** bpftool's name. */
  readonly name: string;
  readonly keyed: "bytes" | "index" | "prefix" | "none";
  readonly perCpu: boolean;
  readonly flags: number;
}

function row(type: MapType, keyed: PlainType["keyed"], more: Partial<PlainType> = {}): PlainType {
  return { type, name: MapType[type].toLowerCase(), keyed, perCpu: false, flags: 0, ...more };
}

/** Every type whose keys and values are plain bytes. */
export const PLAIN_TYPES = {
  HASH: row(MapType.HASH, "bytes"),
  ARRAY: row(MapType.ARRAY, "index"),
  PERCPU_HASH: row(MapType.PERCPU_HASH, "bytes", { perCpu: true }),
  PERCPU_ARRAY: row(MapType.PERCPU_ARRAY, "index", { perCpu: true }),
  LRU_HASH: row(MapType.LRU_HASH, "bytes"),
  LRU_PERCPU_HASH: row(MapType.LRU_PERCPU_HASH, "bytes", { perCpu: true }),
  LPM_TRIE: row(MapType.LPM_TRIE, "prefix", { flags: CreateFlag.NO_PREALLOC }),
  QUEUE: row(MapType.QUEUE, "none"),
  STACK: row(MapType.STACK, "none"),
  BLOOM_FILTER: row(MapType.BLOOM_FILTER, "none"),
} as const satisfies Record<string, PlainType>;

export type PlainTypeName = keyof typeof PLAIN_TYPES;

export interface Shape {
  readonly type: PlainTypeName;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
}

/** A shape with 4-byte keys (8 for tries, none for queues), 8-byte values and 1000 entries. */
export function shapeOf(type: PlainTypeName, more: Partial<Shape> = {}): Shape {
  const keySize = { bytes: 4, index: 4, prefix: 8, none: 0 }[PLAIN_TYPES[type].keyed];
  return { type, keySize, valueSize: 8, maxEntries: 1000, ...more };
}

/** A map of one test: pinned and held, gone when the test ends. */
export interface PlainMap {
  readonly shape: Shape;
  readonly info: MapMessage;
  readonly id: number;
  readonly name: string;
  readonly pinPath: string;
  readonly hold: string;
  /** The map by id. */
  readonly handle: MapHandle;
}

let names = 0;

/** A map name that no other test uses, as tests run beside each other. */
export function uniqueName(): string {
  names += 1;
  return `s${process.pid.toString(36)}_${names.toString(36)}`;
}

/** The spec of a shape. */
export function specOf(shape: Shape, name = uniqueName()) {
  const { type, keySize, valueSize, maxEntries } = shape;
  const flags = shape.flags ?? PLAIN_TYPES[type].flags;
  return { type: PLAIN_TYPES[type].type, name, keySize, valueSize, maxEntries, flags };
}

/** Makes a map of a shape, pinned and held under its own name. */
export async function makeMap(daemon: TestDaemon, shape: Shape): Promise<PlainMap> {
  const name = uniqueName();
  const pinPath = `${daemon.bpffs}/${name}`;
  const { map: info } = await daemon.client.maps.createMap({
    spec: specOf(shape, name),
    hold: { name },
    pinPath,
  });
  if (!info) throw new Error("the answer has no map");
  disposeWithTest(async () => {
    await daemon.client.maps.releaseMap({ name }).catch(() => {});
    await daemon.client.maps.unpinMap({ path: pinPath }).catch(() => {});
  });
  const handle = daemon.client.map({ id: info.id });
  return { shape, info, id: info.id, name, pinPath, hold: name, handle };
}

function disposeWithTest(dispose: () => Promise<void>): void {
  try {
    onTestFinished(dispose);
  } catch {
    // A hook: the map goes with the daemon.
  }
}

/** The key of element `index`: keys of different indices differ, as far as the size allows. */
export function sampleKey({ type, keySize }: Shape, index: number): Buffer {
  const key = Buffer.alloc(keySize, PLAIN_TYPES[type].keyed === "bytes" ? 0xa5 : 0);
  if (keySize === 0) return key;
  if (PLAIN_TYPES[type].keyed === "prefix") {
    // Element 0 is the prefix that covers everything.
    if (index === 0) return key;
    key.writeUInt32LE((keySize - 4) * 8);
    key.writeUIntBE(index, keySize - Math.min(4, keySize - 4), Math.min(4, keySize - 4));
    return key;
  }
  key.writeUIntLE(index, 0, Math.min(4, keySize));
  return key;
}

/** A value that tells its index and `seed`; slots of CPUs differ, and are padded with zeros. */
export function sampleValue(map: PlainMap, index: number, seed = 0): Buffer {
  const { valueSize, valueStride, cpus } = map.info;
  if (cpus.length === 0) return sampleBytes(valueSize, index, seed);
  const slot = Math.ceil(valueSize / 8) * 8;
  const value = Buffer.alloc(valueStride);
  for (const place of cpus.keys()) {
    value.set(sampleBytes(valueSize, index, seed + place), place * slot);
  }
  return value;
}

/** Bytes that tell an index and a seed. */
export function sampleBytes(size: number, index: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(size, (index * 7 + seed * 31 + 1) & 0xff);
  if (size >= 8) bytes.writeUInt32LE(index);
  return bytes;
}

/** Elements `from` to `to - 1` of a map. */
export function samples(map: PlainMap, from: number, to: number, seed = 0): [Buffer, Buffer][] {
  return Array.from({ length: to - from }, (_, offset) => [
    sampleKey(map.shape, from + offset),
    sampleValue(map, from + offset, seed),
  ]);
}
