import type { MapLayout } from "../map-layout.js";
import type { Field } from "./field-path.js";
import { readFloat } from "./float.js";
import { intReader } from "./int-reader.js";
import type { ScalarShape } from "./type-shape.js";

/** How a field of a per-CPU value is folded over the CPUs; sums do not wrap. */
export type FieldFold = "sum" | "min" | "max";

/** What a field is compared by; a number where that is exact, a bigint otherwise. */
export type FieldValue = number | bigint;

/** Reads a field of the element whose key and value stand at these places. */
export type FieldReader = (
  keys: Buffer,
  keyAt: number,
  values: Buffer,
  valueAt: number,
) => FieldValue;

type Reader = (bytes: Buffer, at: number) => FieldValue;

/** The reader of a field, straight from its bytes. */
export function fieldReader(field: Field, layout: MapLayout, fold: FieldFold): FieldReader {
  const read = scalarReader(field.shape, field.bitOffset);
  if (field.side === "key") return (keys, keyAt) => read(keys, keyAt);
  if (layout.cpus.length === 0) return (_keys, _keyAt, values, valueAt) => read(values, valueAt);
  const { slotSize, valueStride } = layout;
  const combine = combiner(fold, field.shape);
  return (_keys, _keyAt, values, valueAt) => {
    let folded = read(values, valueAt);
    for (let slot = slotSize; slot < valueStride; slot += slotSize) {
      folded = combine(folded, read(values, valueAt + slot));
    }
    return folded;
  };
}

function scalarReader(shape: ScalarShape, bitOffset: number): Reader {
  if (shape.kind === "float") {
    const byte = bitOffset / 8;
    return (bytes, at) => readFloat(bytes, at + byte, shape.bits);
  }
  const signed = "signed" in shape && shape.signed;
  const read = intReader(bitOffset, shape.bits, signed);
  return shape.kind === "bool" ? (bytes, at) => (read(bytes, at) > 0 ? 1 : 0) : read;
}

type Combine = (a: FieldValue, b: FieldValue) => FieldValue;

function combiner(fold: FieldFold, { kind }: ScalarShape): Combine {
  switch (fold) {
    case "sum":
      return kind === "float" ? (a, b) => Number(a) + Number(b) : addWhole;
    case "min":
      return lesser;
    case "max":
      return greater;
  }
}

/** The exact sum of whole numbers. */
function addWhole(a: FieldValue, b: FieldValue): FieldValue {
  const sum = Number(a) + Number(b);
  return Number.isSafeInteger(sum) ? sum : BigInt(a) + BigInt(b);
}

// Not Math.min and Math.max, which take no bigints.
function lesser(a: FieldValue, b: FieldValue): FieldValue {
  if (b < a) return b;
  return a;
}

function greater(a: FieldValue, b: FieldValue): FieldValue {
  if (b > a) return b;
  return a;
}
