/** Sizes of all elements of a set, in bytes. */
export interface ElementSizes {
  /** 1 or more. */
  readonly keySize: number;
  /** 0 or more: a set of keys alone has none. */
  readonly valueSize: number;
}

/** Elements as columns: `count` keys back to back, and as many values. */
export interface Elements {
  readonly count: number;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

/** Changes of elements, in the order of their keys, each key once. */
export interface Changes extends Elements {
  /** 1 for each key that is removed, whose value is zero, 0 for each that is put. */
  readonly removed: Uint8Array;
}

const SHORT_KEY = 32;

/** Compares two keys in columns by their bytes: below 0, 0 or above 0. */
export function compareKeys(
  a: Uint8Array,
  aAt: number,
  b: Uint8Array,
  bAt: number,
  size: number,
): number {
  // A call into the runtime costs more than a short loop.
  if (size > SHORT_KEY) {
    return Buffer.compare(a.subarray(aAt, aAt + size), b.subarray(bAt, bAt + size));
  }
  for (let offset = 0; offset < size; offset++) {
    const difference = a[aAt + offset]! - b[bAt + offset]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Index of the first key of a sorted column that is not before the key at a place of another.
 * @param from where to begin; keys before it are taken as before the key
 */
export function firstNotBefore(
  column: { readonly count: number; readonly keys: Uint8Array },
  keys: Uint8Array,
  at: number,
  size: number,
  from = 0,
): number {
  let low = from;
  let high = column.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(column.keys, middle * size, keys, at, size) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Elements `from` up to, not including, `to`; no copy. */
export function sliceElements(elements: Elements, sizes: ElementSizes, from: number, to: number) {
  const { keySize, valueSize } = sizes;
  return {
    count: to - from,
    keys: elements.keys.subarray(from * keySize, to * keySize),
    values: elements.values.subarray(from * valueSize, to * valueSize),
  } satisfies Elements;
}

/** Changes `from` up to, not including, `to`; no copy. */
export function sliceChanges(
  changes: Changes,
  sizes: ElementSizes,
  from: number,
  to: number,
): Changes {
  return {
    ...sliceElements(changes, sizes, from, to),
    removed: changes.removed.subarray(from, to),
  };
}

/** A key in hexadecimal, as messages have it. */
export function hexKey(keys: Uint8Array, at: number, size: number): string {
  return Buffer.from(keys.buffer, keys.byteOffset + at, size).toString("hex");
}
