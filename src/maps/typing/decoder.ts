import { floatText, readFloat } from "./float.js";
import { intReader } from "./int-reader.js";
import type { ArrayShape, CompositeShape, EnumShape, TypeShape } from "./type-shape.js";

/** Tells data as JSON text; it begins at `at`. */
export type Decoder = (bytes: Buffer, at: number) => string;

/**
 * The decoder of a shape. The shape is walked here, once, and not for each element.
 *
 * @param bitOffset where the data begins, from where the decoder will be told to read
 */
export function compileDecoder(shape: TypeShape, bitOffset = 0): Decoder {
  switch (shape.kind) {
    case "array":
      return arrayDecoder(shape, bitOffset);
    case "composite":
      return compositeDecoder(shape, bitOffset);
    case "int": {
      const read = intReader(bitOffset, shape.bits, shape.signed);
      if (shape.bits <= 32) return (bytes, at) => String(read(bytes, at));
      return (bytes, at) => `"${read(bytes, at)}"`;
    }
    case "bool": {
      const read = intReader(bitOffset, shape.bits, false);
      return (bytes, at) => (read(bytes, at) > 0 ? "true" : "false");
    }
    case "char": {
      const byte = bitOffset / 8;
      return (bytes, at) => JSON.stringify(String.fromCharCode(bytes[at + byte] as number));
    }
    case "enum":
      return enumDecoder(shape, bitOffset);
    case "float": {
      const { bits } = shape;
      const byte = bitOffset / 8;
      return (bytes, at) => floatText(readFloat(bytes, at + byte, bits), bits);
    }
    case "bits": {
      const read = intReader(bitOffset, shape.bits, false);
      return (bytes, at) => `"0x${read(bytes, at).toString(16)}"`;
    }
  }
}

function enumDecoder({ bits, signed, names }: EnumShape, bitOffset: number): Decoder {
  const read = intReader(bitOffset, bits, signed);
  const texts = new Map<number | bigint, string>();
  for (const { name, value } of names) {
    const key = readable(value);
    // Of several names for one value the first one counts, as for bpftool.
    if (!texts.has(key)) texts.set(key, JSON.stringify(name));
  }
  const quote = bits > 32 ? '"' : "";
  return (bytes, at) => {
    const value = read(bytes, at);
    return texts.get(value) ?? `${quote}${value}${quote}`;
  };
}

/** The value as an IntReader tells it. */
function readable(value: number | bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function arrayDecoder(shape: ArrayShape, bitOffset: number): Decoder {
  const { length, stride } = shape;
  const byte = bitOffset / 8;
  const element = compileDecoder(shape.element);
  const elements: Decoder = (bytes, at) => {
    let text = "[";
    for (let index = 0; index < length; index++) {
      if (index > 0) text += ",";
      text += element(bytes, at + byte + index * stride);
    }
    return `${text}]`;
  };
  if (!shape.isText) return elements;
  return (bytes, at) => textIn(bytes, at + byte, length) ?? elements(bytes, at);
}

/**
 * The text that characters are: printable ones of ASCII, then zeros to the end. bpftool
 * looks no further than the first zero; here the text must tell all bytes.
 */
function textIn(bytes: Buffer, from: number, length: number): string | undefined {
  const to = from + length;
  let end = from;
  while (end < to && bytes[end] !== 0) {
    const byte = bytes[end] as number;
    if (byte < 0x20 || byte > 0x7e) return undefined;
    end++;
  }
  if (end === to) return undefined;
  for (let at = end + 1; at < to; at++) if (bytes[at] !== 0) return undefined;
  return JSON.stringify(bytes.toString("latin1", from, end));
}

function compositeDecoder({ members }: CompositeShape, bitOffset: number): Decoder {
  const labels = members.map(
    ({ name }, index) => `${index > 0 ? "," : ""}${JSON.stringify(name)}:`,
  );
  const decoders = members.map((member) =>
    compileDecoder(member.shape, bitOffset + member.bitOffset),
  );
  return (bytes, at) => {
    let text = "{";
    for (let index = 0; index < decoders.length; index++) {
      text += labels[index] as string;
      text += (decoders[index] as Decoder)(bytes, at);
    }
    return `${text}}`;
  };
}
