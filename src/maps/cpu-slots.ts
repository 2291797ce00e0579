import type { CpuFold, CpuView } from "./columns.js";
import type { MapLayout } from "./map-layout.js";

/** Bytes that one value takes once a view is applied. */
export function viewedValueSize(layout: MapLayout, view: CpuView | undefined): number {
  return view ? layout.valueSize : layout.valueStride;
}

/**
 * Copies the value at `from` of a column into `target`, as the view shows it.
 *
 * @param source a column of values of the layout's stride
 * @param target exactly {@link viewedValueSize} bytes from `at`
 */
export type ValueCopier = (source: Buffer, from: number, target: Buffer, at: number) => void;

/** The copier for a view; the whole value where there is none. */
export function valueCopier(layout: MapLayout, view: CpuView | undefined): ValueCopier {
  const { valueSize, valueStride, slotSize } = layout;
  if (!view) {
    return (source, from, target, at) => source.copy(target, at, from, from + valueStride);
  }
  if ("cpu" in view) {
    const offset = layout.cpus.indexOf(view.cpu) * slotSize;
    return (source, from, target, at) =>
      source.copy(target, at, from + offset, from + offset + valueSize);
  }
  return folder(layout, view.fold);
}

function folder(layout: MapLayout, fold: CpuFold): ValueCopier {
  const { valueSize, valueStride, slotSize } = layout;
  const { word, combine } = FOLDS[fold];
  return (source, from, target, at) => {
    source.copy(target, at, from, from + valueSize);
    for (let slot = from + slotSize; slot < from + valueStride; slot += slotSize) {
      for (let offset = 0; offset < valueSize; offset += word) {
        combine(target, at + offset, source, slot + offset);
      }
    }
  };
}

type Combine = (into: Buffer, at: number, from: Buffer, offset: number) => void;

const FOLDS: Record<CpuFold, { word: 4 | 8; combine: Combine }> = {
  sum_u32: {
    word: 4,
    combine: (into, at, from, offset) =>
      into.writeUInt32LE((into.readUInt32LE(at) + from.readUInt32LE(offset)) >>> 0, at),
  },
  // Two halves with a carry: bigint words would cost an allocation each.
  sum_u64: {
    word: 8,
    combine: (into, at, from, offset) => {
      const low = into.readUInt32LE(at) + from.readUInt32LE(offset);
      const carry = low > 0xffffffff ? 1 : 0;
      const high = into.readUInt32LE(at + 4) + from.readUInt32LE(offset + 4) + carry;
      into.writeUInt32LE(low >>> 0, at);
      into.writeUInt32LE(high >>> 0, at + 4);
    },
  },
  max_u32: {
    word: 4,
    combine: (into, at, from, offset) =>
      into.writeUInt32LE(Math.max(into.readUInt32LE(at), from.readUInt32LE(offset)), at),
  },
  max_u64: {
    word: 8,
    combine: (into, at, from, offset) => {
      const high = into.readUInt32LE(at + 4);
      const otherHigh = from.readUInt32LE(offset + 4);
      const isLarger =
        otherHigh > high ||
        (otherHigh === high && from.readUInt32LE(offset) > into.readUInt32LE(at));
      if (isLarger) from.copy(into, at, offset, offset + 8);
    },
  },
};

/** Writes one value of value_size bytes into every slot of `stride`; pad bytes are zero. */
export function fillSlots(layout: MapLayout, value: Uint8Array, stride: Buffer): void {
  stride.fill(0);
  for (let at = 0; at < layout.valueStride; at += layout.slotSize) stride.set(value, at);
}
