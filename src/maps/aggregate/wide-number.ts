import { fieldError } from "../map-error.js";
import type { MapLayout } from "../map-layout.js";
import type { Field } from "../typing/field-path.js";
import type { FieldFold } from "../typing/field-reader.js";
import { intReader } from "../typing/int-reader.js";

/**
 * A whole number of up to 85 bits as two numbers that are exact: `high * 2^32 + low`, with
 * 0 <= low < 2^32. A bigint would be an allocation for each element of a map.
 */
export type Words = Float64Array;

const HIGH = 0;
const LOW = 1;
const TWO_32 = 2 ** 32;

/** Room for a number: zero. */
export function newWords(): Words {
  return new Float64Array(2);
}

/** The number whose words stand at `at`. */
export function asBigint(words: Words, at = 0): bigint {
  return (BigInt(words[at] as number) << 32n) + BigInt(words[at + 1] as number);
}

/** Reads the number of the element whose key and value stand at these places. */
export type WideReader = (
  keys: Buffer,
  keyAt: number,
  values: Buffer,
  valueAt: number,
  into: Words,
) => void;

type SlotReader = (bytes: Buffer, at: number, into: Words) => void;

/**
 * The reader of a field; that of a per-CPU value is folded over the CPUs.
 *
 * @param path of the field in the request
 * @throws MapError FIELD_INVALID for a field that is no whole number
 */
export function wideReader(
  field: Field,
  layout: MapLayout,
  fold: FieldFold,
  path: string,
): WideReader {
  const read = slotReader(field, path);
  if (field.side === "key")
    return (keys, keyAt, _values, _valueAt, into) => read(keys, keyAt, into);
  const { cpus, slotSize, valueStride } = layout;
  if (cpus.length === 0) {
    return (_keys, _keyAt, values, valueAt, into) => read(values, valueAt, into);
  }
  const combine = COMBINERS[fold];
  const slot = newWords();
  return (_keys, _keyAt, values, valueAt, into) => {
    read(values, valueAt, into);
    for (let at = valueAt + slotSize; at < valueAt + valueStride; at += slotSize) {
      read(values, at, slot);
      combine(into, slot);
    }
    carry(into);
  };
}

function slotReader({ bitOffset, shape }: Field, path: string): SlotReader {
  const { kind, bits } = shape;
  if (kind === "float" || kind === "bits") {
    throw fieldError("FIELD_INVALID", path, `${shape.name} is no whole number`);
  }
  const signed = "signed" in shape && shape.signed;
  const byte = bitOffset / 8;
  if (bits === 64 && Number.isInteger(byte)) {
    return signed ? readI64At(byte) : readU64At(byte);
  }
  const read = intReader(bitOffset, bits, signed);
  if (kind === "bool") {
    return (bytes, at, into) => {
      into[HIGH] = 0;
      into[LOW] = read(bytes, at) > 0 ? 1 : 0;
    };
  }
  return (bytes, at, into) => split(read(bytes, at), into);
}

function readU64At(byte: number): SlotReader {
  return (bytes, at, into) => {
    into[HIGH] = bytes.readUInt32LE(at + byte + 4);
    into[LOW] = bytes.readUInt32LE(at + byte);
  };
}

function readI64At(byte: number): SlotReader {
  return (bytes, at, into) => {
    into[HIGH] = bytes.readInt32LE(at + byte + 4);
    into[LOW] = bytes.readUInt32LE(at + byte);
  };
}

function split(number: number | bigint, into: Words): void {
  if (typeof number === "bigint") {
    into[HIGH] = Number(number >> 32n);
    into[LOW] = Number(number & 0xffff_ffffn);
    return;
  }
  const high = Math.floor(number / TWO_32);
  into[HIGH] = high;
  into[LOW] = number - high * TWO_32;
}

/** Brings what a sum's low word has too much into its high word. */
function carry(words: Words): void {
  const low = words[LOW] as number;
  if (low < TWO_32) return;
  const over = Math.floor(low / TWO_32);
  words[HIGH] = (words[HIGH] as number) + over;
  words[LOW] = low - over * TWO_32;
}

const COMBINERS: Record<FieldFold, (into: Words, slot: Words) => void> = {
  // At most 8192 CPUs: both words stay exact.
  sum: (into, slot) => {
    into[HIGH] = (into[HIGH] as number) + (slot[HIGH] as number);
    into[LOW] = (into[LOW] as number) + (slot[LOW] as number);
  },
  min: (into, slot) => {
    if (compareWords(slot, into) < 0) into.set(slot);
  },
  max: (into, slot) => {
    if (compareWords(slot, into) > 0) into.set(slot);
  },
};

/** Less than 0 where `a` is less than `b`, more where it is greater. */
export function compareWords(a: Words, b: Words): number {
  return (a[HIGH] as number) - (b[HIGH] as number) || (a[LOW] as number) - (b[LOW] as number);
}
