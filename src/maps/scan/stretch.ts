import type { MapLayout } from "../map-layout.js";

/**
 * Elements of one batch call: 4–16 k are fastest, and about `bytes` at most, because the
 * columns are made for all of them, however few there are.
 */
export function stretchFor(layout: MapLayout, most = 4096, bytes = 1 << 20): number {
  const size = layout.keySize + layout.valueStride;
  return Math.max(1, Math.floor(Math.min(most, bytes / size)));
}

/** The part of a stretch that is read first, one in so many: who waits for it can begin sooner. */
export const FIRST_SHARE = 4;
