/** A little-endian u32. */
export function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}

/** A little-endian u64. */
export function u64(number: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(number));
  return bytes;
}

/** A trie's key: a prefix length and its data, zero after that. */
export function prefix(length: number, data: readonly number[], keySize = 8): Buffer {
  const key = Buffer.alloc(keySize);
  key.writeUInt32LE(length);
  key.set(data, 4);
  return key;
}

export const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");

/** Elements by hex of the key; a key that comes twice takes its last value. */
export function byKey(elements: Iterable<readonly [Uint8Array, Uint8Array]>): Map<string, string> {
  return new Map(Array.from(elements, ([key, value]) => [hex(key), hex(value)]));
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The rows of a column. */
export function rows(column: Uint8Array, size: number): Buffer[] {
  return Array.from({ length: column.length / size }, (_, row) =>
    Buffer.from(column.subarray(row * size, (row + 1) * size)),
  );
}

export async function* streamOf<T>(items: Iterable<T>): AsyncGenerator<T, void> {
  yield* items;
}
