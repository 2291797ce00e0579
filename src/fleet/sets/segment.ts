import { createHash } from "node:crypto";
import type { Changes, ElementSizes, Elements } from "./elements.js";
import { SetError } from "./set-error.js";

/** Elements of a segment at most. */
export const SEGMENT_ELEMENTS = 4096;
/** Bytes of a segment's elements to stay below, unless one element is larger. */
export const SEGMENT_BYTES = 115 * 1024;
/** Bytes of the largest element: a segment has to fit a transaction of the store. */
export const ELEMENT_BYTES = 512 * 1024;

/**
 * A segment's bytes: a header of little-endian words (magic, key size, value size, elements,
 * whether it has removals), the keys, the values, and for changes a byte for each element that
 * says whether it is removed.
 */
const MAGIC = 0x31736d62; // "bms1"
const HEADER = 20;

/** Elements of these sizes that a segment has at most. */
export function segmentRoom({ keySize, valueSize }: ElementSizes): number {
  return Math.max(1, Math.min(SEGMENT_ELEMENTS, Math.floor(SEGMENT_BYTES / (keySize + valueSize))));
}

/** The name of a segment: the SHA-256 of its bytes, in hexadecimal. */
export function segmentName(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The bytes of a segment of elements, or of changes. */
export function encodeSegment(
  { keySize, valueSize }: ElementSizes,
  { count, keys, values, removed }: Elements & Partial<Changes>,
): Uint8Array {
  const bytes = new Uint8Array(HEADER + keys.length + values.length + (removed?.length ?? 0));
  const header = new DataView(bytes.buffer);
  for (const [index, word] of [MAGIC, keySize, valueSize, count, removed ? 1 : 0].entries()) {
    header.setUint32(4 * index, word, true);
  }
  bytes.set(keys, HEADER);
  bytes.set(values, HEADER + keys.length);
  if (removed) bytes.set(removed, HEADER + keys.length + values.length);
  return bytes;
}

/** The elements or changes of a segment, which stay in its bytes; DAMAGED where it is none. */
export function decodeSegment(sizes: ElementSizes, bytes: Uint8Array): Changes {
  const { keySize, valueSize } = sizes;
  if (bytes.length < HEADER) throw damaged("it is cut off");
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER);
  const [magic, key, value, count, hasRemovals] = [0, 4, 8, 12, 16].map((at) =>
    header.getUint32(at, true),
  ) as [number, number, number, number, number];
  if (magic !== MAGIC) throw damaged("it is of another format");
  if (key !== keySize || value !== valueSize) {
    throw damaged(`its elements have ${key}+${value} bytes, not ${keySize}+${valueSize}`);
  }
  const valuesAt = HEADER + count * keySize;
  const removedAt = valuesAt + count * valueSize;
  if (bytes.length !== removedAt + (hasRemovals ? count : 0)) throw damaged("its length is wrong");
  return {
    count,
    keys: bytes.subarray(HEADER, valuesAt),
    values: bytes.subarray(valuesAt, removedAt),
    removed: hasRemovals ? bytes.subarray(removedAt) : new Uint8Array(count),
  };
}

function damaged(why: string): SetError {
  return new SetError("DAMAGED", `a segment of a map set cannot be read: ${why}`);
}
