import { type Changes, type ElementSizes, hexKey, sliceChanges } from "./elements.js";
import type { Layer, Part } from "./manifest.js";
import { encodeSegment, segmentRoom } from "./segment.js";
import type { SegmentUpload } from "./segment-upload.js";

/** Writes changes as a layer for these generations. */
export async function writeLayer(
  sizes: ElementSizes,
  changes: Changes,
  generations: { readonly from: number; readonly to: number },
  upload: SegmentUpload,
): Promise<Layer> {
  const segments: Part[] = [];
  const room = segmentRoom(sizes);
  for (let from = 0; from < changes.count; from += room) {
    const some = sliceChanges(changes, sizes, from, Math.min(changes.count, from + room));
    const hash = await upload.add(encodeSegment(sizes, some));
    segments.push({ hash, count: some.count, first: hexKey(some.keys, 0, sizes.keySize) });
  }
  return { ...generations, count: changes.count, segments };
}
