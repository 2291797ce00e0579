/** The size of a map's elements, in bytes; both multiples of 4. */
export interface ElementShape {
  /** As it stands in the names of cases: "h48" is 4-byte keys and 8-byte values. */
  name: string;
  keySize: number;
  valueSize: number;
}

export const h48: ElementShape = { name: "h48", keySize: 4, valueSize: 8 };
export const h1664: ElementShape = { name: "h1664", keySize: 16, valueSize: 64 };

/** Elements as columns: keys back to back, values back to back. */
export interface Columns {
  count: number;
  keys: Uint8Array;
  values: Uint8Array;
}

/** Elements number `from` to `from + count - 1`; peers/batch-load.c makes the same ones. */
export function elements(shape: ElementShape, from: number, count: number): Columns {
  return {
    count,
    // An odd multiplier maps the numbers below 2^32 one to one, so all keys differ.
    keys: column(from, count, shape.keySize, 0x9e3779b1),
    values: column(from, count, shape.valueSize, 1),
  };
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
export function elementChunks(shape: ElementShape, count: number, chunkBytes: number): Columns[] {
  const perChunk = Math.max(1, Math.floor(chunkBytes / (shape.keySize + shape.valueSize)));
  const chunks: Columns[] = [];
  for (let from = 0; from < count; from += perChunk) {
    chunks.push(elements(shape, from, Math.min(perChunk, count - from)));
  }
  return chunks;
}
