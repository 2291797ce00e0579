import { MapError } from "./map-error.js";

/** Those of the keys of a call that it has written, as far as its answer tells. */
export function writtenKeys(keys: Uint8Array, keySize: number, answer: unknown): Uint8Array {
  const refused = new Set(failuresOf(answer).map(({ index }) => index));
  if (refused.size === 0) return keys;
  const written = Buffer.alloc(keys.length - refused.size * keySize);
  let at = 0;
  for (let index = 0; index * keySize < keys.length; index++) {
    if (refused.has(index)) continue;
    written.set(keys.subarray(index * keySize, (index + 1) * keySize), at);
    at += keySize;
  }
  return written;
}

/** Those of the keys of a call that it may have written before it failed. */
export function keysBefore(keys: Uint8Array, keySize: number, error: unknown): Uint8Array {
  const index = error instanceof MapError ? Number(error.metadata.index) : Number.NaN;
  return Number.isInteger(index) ? keys.subarray(0, index * keySize) : keys;
}

function failuresOf(answer: unknown): readonly { readonly index: number }[] {
  const { failures } = (answer ?? {}) as { failures?: readonly { readonly index: number }[] };
  return failures ?? [];
}
