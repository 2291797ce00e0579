import type { Columns, CpuView } from "./columns.js";
import type { ElementsAnswer, Reading } from "./element-input.js";
import { jsonDecoder } from "./json-decoder.js";
import type { MapHost } from "./map-host.js";
import { MapType } from "./map-type.js";
import { objectValueDecoder, type ValueDecoder } from "./objects/decode-value.js";
import { kernelSymbols } from "./objects/symbol-cache.js";
import type { OpenMap } from "./open-map.js";
import { shapesIn } from "./typing/request-shapes.js";

/** What the columns of an answer hold. */
export interface DecodeOptions {
  readonly reading?: Reading | undefined;
  /** Where values are of one CPU's slot, or folded into one. */
  readonly cpuView?: CpuView | undefined;
}

/** Makes an answer of columns; `isMissing` tells the elements that it has no value for. */
export interface ElementDecoder {
  (columns: Columns, isMissing?: (index: number) => boolean): ElementsAnswer;
  /** Most bytes that an element can take in the answer, where it may be more than it has. */
  readonly longestElement?: number;
}

/**
 * What makes answers of what the kernel answered; undefined where that is the answer.
 * Throws MapError NO_TYPES where JSON is asked for and there are no types.
 */
export function elementDecoder(
  host: MapHost,
  map: OpenMap,
  { reading, cpuView }: DecodeOptions,
): ElementDecoder | undefined | Promise<ElementDecoder | undefined> {
  const json = jsonDecoderFor(host, map, reading, cpuView);
  if (json) return json;
  if (host.capabilities.of(map.info.type)?.valueKind !== "object") return undefined;
  return objectDecoder(host, map);
}

/** What tells elements as JSON; undefined where that is not asked for. Throws as Typing does. */
export function jsonDecoderFor(
  host: MapHost,
  map: OpenMap,
  reading: Reading | undefined,
  cpuView: CpuView | undefined,
): ElementDecoder | undefined {
  if (!reading || reading.format === "bytes") return undefined;
  const shapes = shapesIn(host, map, reading.typing);
  return jsonDecoder(shapes, map.layout, cpuView, reading.format === "both");
}

async function objectDecoder(host: MapHost, map: OpenMap): Promise<ElementDecoder | undefined> {
  const isStackTrace = map.info.type === MapType.STACK_TRACE;
  const symbols = isStackTrace ? await kernelSymbols() : undefined;
  const decode = objectValueDecoder(map, host.identity.bootId, symbols);
  return decode && ((columns, isMissing) => withObjects(columns, map, decode, isMissing));
}

/** Puts the objects that values stand for beside them; columns without values stay as they are. */
function withObjects(
  columns: Columns,
  { layout }: OpenMap,
  decode: ValueDecoder,
  isMissing: (index: number) => boolean = () => false,
): ElementsAnswer {
  const { count, values } = columns;
  if (values.length === 0) return columns;
  const { valueStride } = layout;
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const objectValues = Array.from({ length: count }, (_, index) =>
    isMissing(index)
      ? ({ kind: "none" } as const)
      : decode(bytes.subarray(index * valueStride, (index + 1) * valueStride)),
  );
  return { ...columns, objectValues };
}
