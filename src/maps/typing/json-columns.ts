import type { CpuView } from "../columns.js";
import type { MapLayout } from "../map-layout.js";
import { ByteTarget } from "./byte-target.js";
import { compileDecoder, type Decoder } from "./decoder.js";
import { compileEncoder, type Encoder } from "./encoder.js";
import { JsonReader } from "./json-reader.js";
import type { TypeShape } from "./type-shape.js";

const decoders = new WeakMap<TypeShape, Decoder>();
const encoders = new WeakMap<TypeShape, Encoder>();

/** The decoder of a shape, compiled once. */
export function decoderOf(shape: TypeShape): Decoder {
  return compiled(decoders, shape, compileDecoder);
}

/** The encoder of a shape, compiled once. */
export function encoderOf(shape: TypeShape): Encoder {
  return compiled(encoders, shape, compileEncoder);
}

function compiled<T>(
  known: WeakMap<TypeShape, T>,
  shape: TypeShape,
  compile: (shape: TypeShape) => T,
): T {
  let made = known.get(shape);
  if (!made) {
    made = compile(shape);
    known.set(shape, made);
  }
  return made;
}

/** The decoder of values as a view shows them: whole ones of per-CPU maps are an array. */
export function valueDecoder(
  shape: TypeShape,
  { cpus, slotSize, valueStride }: MapLayout,
  view: CpuView | undefined,
): Decoder {
  const decode = decoderOf(shape);
  if (cpus.length === 0 || view) return decode;
  return (bytes, at) => {
    let text = "[";
    for (let slot = 0; slot < valueStride; slot += slotSize) {
      if (slot > 0) text += ",";
      text += decode(bytes, at + slot);
    }
    return `${text}]`;
  };
}

/** The encoder of whole values: of per-CPU maps an array with one for each CPU. */
export function wholeValueEncoder(shape: TypeShape, { cpus, slotSize }: MapLayout): Encoder {
  const encode = encoderOf(shape);
  if (cpus.length === 0) return encode;
  return (json, target, at) => {
    if (!json.take("[")) {
      json.fail(`an array with a value for each of ${cpus.length} CPUs expected`);
    }
    let count = 0;
    while (!json.take("]")) {
      if (count > 0) json.expect(",");
      if (count === cpus.length) json.fail(`more values than CPUs (${cpus.length})`);
      json.path.push(count);
      encode(json, target, at + count * slotSize);
      json.path.pop();
      count++;
    }
    if (count < cpus.length) json.fail(`${count} values given for ${cpus.length} CPUs`);
  };
}

/**
 * Writes the item that a JSON text tells into a column that is zero there. Throws
 * JsonProblem.
 *
 * @param root what paths in errors begin with
 */
export function encodeItem(
  encode: Encoder,
  text: string,
  root: "key" | "value",
  column: Buffer,
  at: number,
): void {
  const json = new JsonReader(text, root);
  encode(json, new ByteTarget(column), at);
  json.end();
}
