import type { Columns, CpuView } from "./columns.js";
import { viewedValueSize } from "./cpu-slots.js";
import type { ElementDecoder } from "./element-decoder.js";
import type { MapLayout } from "./map-layout.js";
import type { Decoder } from "./typing/decoder.js";
import type { ElementShapes } from "./typing/field-path.js";
import { decoderOf, valueDecoder } from "./typing/json-columns.js";
import { longestText } from "./typing/longest-text.js";

/** What tells columns as JSON; with `bytes` set, beside the bytes that they are. */
export function jsonDecoder(
  shapes: ElementShapes,
  layout: MapLayout,
  cpuView: CpuView | undefined,
  bytes: boolean,
): ElementDecoder {
  const decodeKey = decoderOf(shapes.key);
  const decodeValue = valueDecoder(shapes.value, layout, cpuView);
  const valueSize = viewedValueSize(layout, cpuView);
  const decode = (columns: Columns, isMissing?: (index: number) => boolean) => {
    const { count, keys, values } = columns;
    const jsonKeys = texts(keys, layout.keySize, decodeKey);
    const jsonValues = texts(values, valueSize, decodeValue, isMissing);
    const none = new Uint8Array(0);
    return {
      ...(bytes ? columns : { count, keys: none, values: none }),
      ...(jsonKeys && { jsonKeys }),
      ...(jsonValues && { jsonValues }),
    };
  };
  return Object.assign(decode, { longestElement: longest(shapes, layout, cpuView, bytes) });
}

function longest(
  { key, value }: ElementShapes,
  layout: MapLayout,
  cpuView: CpuView | undefined,
  bytes: boolean,
): number {
  const values = cpuView ? 1 : Math.max(1, layout.cpus.length);
  const texts = longestText(key) + values * (longestText(value) + 1);
  return texts + (bytes ? layout.keySize + viewedValueSize(layout, cpuView) : 0);
}

/** The texts of a column; undefined where there is none. */
function texts(
  column: Uint8Array,
  size: number,
  decode: Decoder,
  isMissing?: (index: number) => boolean,
): string[] | undefined {
  if (column.length === 0) return undefined;
  const bytes = Buffer.from(column.buffer, column.byteOffset, column.length);
  return Array.from({ length: bytes.length / size }, (_, index) =>
    isMissing?.(index) ? "" : decode(bytes, index * size),
  );
}
