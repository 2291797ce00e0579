import type { Columns } from "#dist/maps/columns.js";
import type { MapLayout } from "#dist/maps/map-layout.js";

/** A little-endian u32 in the first bytes of a buffer; a size below 4 takes what fits. */
export function u32(number: number, size = 4): Buffer {
  const bytes = Buffer.alloc(Math.max(4, size));
  bytes.writeUInt32LE(number);
  return bytes.subarray(0, size);
}

/** The key of a trie: a prefix length and its data, zero after that. */
export function prefix(length: number, data: readonly number[], keySize = 8): Buffer {
  const key = Buffer.alloc(keySize);
  key.writeUInt32LE(length);
  key.set(data, 4);
  return key;
}

/** The key of element `index` in a map of any type: keys of different indices differ. */
export function sampleKey(layout: MapLayout, index: number, keyKind = "bytes"): Buffer {
  if (keyKind !== "prefix") return u32(index, layout.keySize);
  const key = Buffer.alloc(layout.keySize);
  key.writeUInt32LE((layout.keySize - 4) * 8);
  const bytes = Math.min(4, layout.keySize - 4);
  key.writeUIntBE(index, layout.keySize - bytes, bytes);
  return key;
}

/** A value of the map's stride that tells its index in every byte. */
export function sampleValue(layout: MapLayout, index: number): Buffer {
  const value = Buffer.alloc(layout.valueStride, (index * 7 + 1) & 0xff);
  if (layout.valueStride >= 4) value.writeUInt32LE(index);
  return value;
}

/** Elements `from` to `to - 1` of {@link sampleKey} and {@link sampleValue}. */
export function range(
  layout: MapLayout,
  from: number,
  to: number,
  keyKind = "bytes",
): [Buffer, Buffer][] {
  return Array.from({ length: to - from }, (_, offset) => [
    sampleKey(layout, from + offset, keyKind),
    sampleValue(layout, from + offset),
  ]);
}

export function columnsOf(elements: Iterable<readonly [Uint8Array, Uint8Array]>): Columns {
  const pairs = [...elements];
  return {
    count: pairs.length,
    keys: Buffer.concat(pairs.map(([key]) => key)),
    values: Buffer.concat(pairs.map(([, value]) => value)),
  };
}

/** The rows of a column. */
export function rows(column: Uint8Array, size: number): Buffer[] {
  const bytes = Buffer.from(column);
  return Array.from({ length: bytes.length / size }, (_, row) =>
    bytes.subarray(row * size, (row + 1) * size),
  );
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Elements by hex of the key; a key that comes twice takes its last value. */
export function byKey(elements: Iterable<readonly [Uint8Array, Uint8Array]>): Map<string, string> {
  return new Map([...elements].map(([key, value]) => [hex(key), hex(value)]));
}

export async function* streamOf<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) yield item;
}
