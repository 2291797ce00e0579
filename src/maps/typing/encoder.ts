import { ByteTarget } from "./byte-target.js";
import { floatBits } from "./float.js";
import type { JsonReader } from "./json-reader.js";
import type {
  ArrayShape,
  CompositeShape,
  EnumShape,
  ScalarShape,
  TypeShape,
} from "./type-shape.js";

/** Writes data from JSON to where it begins; throws JsonProblem where it is not of the type. */
export type Encoder = (json: JsonReader, target: ByteTarget, at: number) => void;

/**
 * The encoder of a shape. The shape is walked here, once, and not for each element.
 *
 * @param bitOffset where the data begins, from where the encoder will be told to write
 */
export function compileEncoder(shape: TypeShape, bitOffset = 0): Encoder {
  switch (shape.kind) {
    case "array":
      return arrayEncoder(shape, bitOffset);
    case "composite":
      return compositeEncoder(shape, bitOffset);
    case "int":
      return numberEncoder(shape, bitOffset, shape.signed, (json) => takeInteger(json, shape));
    case "bool":
      return boolEncoder(shape, bitOffset);
    case "char":
      return charEncoder(shape, bitOffset);
    case "enum":
      return enumEncoder(shape, bitOffset);
    case "float":
      return floatEncoder(shape, bitOffset);
    case "bits":
      return numberEncoder(shape, bitOffset, false, (json) => takeInteger(json, shape));
  }
}

function put(
  json: JsonReader,
  target: ByteTarget,
  at: number,
  bitOffset: number,
  bits: number,
  value: number | bigint,
  isVague = false,
): void {
  if (!target.put(at, bitOffset, bits, value, isVague)) disagree(json);
}

function disagree(json: JsonReader): never {
  json.fail("does not agree with another member of the same union: leave one of them out");
}

/** A number that must lie in the range of the shape's bits. */
function numberEncoder(
  shape: ScalarShape,
  bitOffset: number,
  signed: boolean,
  take: (json: JsonReader) => number | bigint,
): Encoder {
  const { bits, name } = shape;
  const [least, greatest] = rangeOf(bits, signed);
  return (json, target, at) => {
    const value = take(json);
    if (value < least || value > greatest) outOfRange(json, value, name, bits, least, greatest);
    put(json, target, at, bitOffset, bits, value);
  };
}

/** The least and the greatest integer of so many bits; exact bigints above 32. */
export function rangeOf(bits: number, signed: boolean): [number | bigint, number | bigint] {
  const width = BigInt(bits);
  const [least, greatest] = signed
    ? [-(1n << (width - 1n)), (1n << (width - 1n)) - 1n]
    : [0n, (1n << width) - 1n];
  return bits <= 32 ? [Number(least), Number(greatest)] : [least, greatest];
}

function outOfRange(
  json: JsonReader,
  value: number | bigint,
  name: string,
  bits: number,
  least: number | bigint,
  greatest: number | bigint,
): never {
  const what = bits % 8 === 0 ? name : `${bits} bits of ${name}`;
  json.fail(`${value} is out of range for ${what} (${least} to ${greatest})`);
}

const INTEGER = /^-?[0-9]+$/;
const HEXADECIMAL = /^0[xX][0-9a-fA-F]+$/;

/** The integer that a text is, in decimal or hexadecimal; undefined where it is none. */
export function parseInteger(text: string): number | bigint | undefined {
  if (INTEGER.test(text)) return text.length <= 15 ? Number(text) : BigInt(text);
  return HEXADECIMAL.test(text) ? BigInt(text) : undefined;
}

function takeInteger(json: JsonReader, { name }: ScalarShape): number | bigint {
  const token = json.peek();
  if (token !== "number" && token !== '"') json.fail(`a number expected for ${name}`);
  const text = token === "number" ? json.number() : json.string();
  return parseInteger(text) ?? json.fail(`${JSON.stringify(text)} is no whole number for ${name}`);
}

function boolEncoder({ bits, name }: ScalarShape, bitOffset: number): Encoder {
  return (json, target, at) => {
    const token = json.peek();
    if (token !== "true" && token !== "false")
      return json.fail(`true or false expected for ${name}`);
    json.word(token);
    // Any number but 0 is true, and a union may know which it is.
    put(json, target, at, bitOffset, bits, token === "true" ? 1 : 0, token === "true");
  };
}

function charEncoder(shape: ScalarShape, bitOffset: number): Encoder {
  return (json, target, at) => {
    let value: number | bigint;
    if (json.peek() === '"') {
      const text = json.string();
      value = text.length === 1 ? text.charCodeAt(0) : json.fail("one character expected");
    } else {
      value = takeInteger(json, shape);
    }
    if (value < -128 || value > 255) outOfRange(json, value, shape.name, 8, -128, 255);
    put(json, target, at, bitOffset, 8, value);
  };
}

function enumEncoder(shape: EnumShape, bitOffset: number): Encoder {
  const byName = new Map(shape.names.map(({ name, value }) => [name, value]));
  return numberEncoder(shape, bitOffset, shape.signed, (json) => {
    if (json.peek() !== '"') return takeInteger(json, shape);
    const text = json.string();
    return (
      byName.get(text) ??
      parseInteger(text) ??
      json.fail(`${shape.name} has no ${JSON.stringify(text)}`)
    );
  });
}

const WORDS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};

/** The floating-point number that a text is; undefined where it is none. */
export function parseFloating(text: string): number | undefined {
  const word = WORDS[text];
  if (word !== undefined) return word;
  return /^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$/.test(text) ? Number(text) : undefined;
}

function floatEncoder({ bits, name }: ScalarShape, bitOffset: number): Encoder {
  return (json, target, at) => {
    const token = json.peek();
    if (token !== "number" && token !== '"') json.fail(`a number expected for ${name}`);
    const text = token === "number" ? json.number() : json.string();
    const value =
      parseFloating(text) ?? json.fail(`${JSON.stringify(text)} is no number for ${name}`);
    const isInfinite = !Number.isFinite(value) && token === "number";
    const raw = isInfinite ? undefined : floatBits(value, bits);
    if (raw === undefined) return json.fail(`${text} is out of range for ${name}`);
    put(json, target, at, bitOffset, bits, raw, Number.isNaN(value));
  };
}

function arrayEncoder(shape: ArrayShape, bitOffset: number): Encoder {
  const { length, stride, isText } = shape;
  const byte = bitOffset / 8;
  const element = compileEncoder(shape.element);
  return (json, target, at) => {
    if (isText && json.peek() === '"') {
      putText(json, target, at + byte, length);
      return;
    }
    if (!json.take("[")) json.fail(`an array of ${length} ${shape.name} expected`);
    let count = 0;
    while (!json.take("]")) {
      if (count > 0) json.expect(",");
      if (count === length) json.fail(`more than ${length} elements given`);
      json.path.push(count);
      element(json, target, at + byte + count * stride);
      json.path.pop();
      count++;
    }
    if (count < length) json.fail(`${count} elements given, ${length} expected`);
  };
}

function putText(json: JsonReader, target: ByteTarget, at: number, length: number): void {
  const text = json.string();
  const bytes = Buffer.alloc(length);
  const needed = Buffer.byteLength(text);
  if (needed > length) json.fail(`a text of ${needed} bytes, there is room for ${length}`);
  bytes.write(text);
  if (!target.putBytes(at, bytes)) disagree(json);
}

function compositeEncoder(shape: CompositeShape, bitOffset: number): Encoder {
  const { name, size, overlaps } = shape;
  const byte = bitOffset / 8;
  const members = new Map(
    shape.members.map((member, index) => [
      member.name,
      { index, encode: compileEncoder(member.shape, bitOffset + member.bitOffset) },
    ]),
  );
  const encodeMembers: Encoder = (json, target, at) => {
    if (!json.take("{")) json.fail(`an object expected for ${name}`);
    const given = new Uint8Array(members.size);
    for (let isFirst = true; !json.take("}"); isFirst = false) {
      if (!isFirst) json.expect(",");
      const key = json.string();
      json.expect(":");
      const member = members.get(key);
      json.path.push(key);
      if (!member) return json.fail(`${name} has no such member`);
      if (given[member.index]) json.fail("is given twice");
      given[member.index] = 1;
      member.encode(json, target, at);
      json.path.pop();
    }
  };
  if (!overlaps) return encodeMembers;
  return (json, target, at) => {
    if (target.sharesBytes) return encodeMembers(json, target, at);
    const own = new ByteTarget(Buffer.alloc(size), true);
    // The members' encoders count from the start of what this is a part of.
    encodeMembers(json, own, -byte);
    target.bytes.set(own.bytes, at + byte);
  };
}
