/** The key of an element of an array, its index, as it stands in a column of keys. */
export function indexAt(keys: Buffer, at: number): number {
  return keys.readUInt32LE(at);
}

/** A column of the keys of an array's elements, from number `from` on. */
export function arrayKeys(from: number, count: number): Buffer {
  const keys = new Uint32Array(count);
  writeIndices(keys, from);
  return Buffer.from(keys.buffer);
}

/** Fills a column with the numbers from `from` on. */
export function writeIndices(keys: Uint32Array, from: number): void {
  for (let index = 0; index < keys.length; index++) keys[index] = from + index;
}
