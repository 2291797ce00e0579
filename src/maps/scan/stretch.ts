import type { MapLayout } from "../map-layout.js";

/** Elements of one batch call: 4–16 k are fastest; about 1 MiB at most. */
export function stretchFor(layout: MapLayout): number {
  const bytes = layout.keySize + layout.valueStride;
  return Math.max(1, Math.min(4096, Math.floor((1 << 20) / bytes)));
}
