import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteTarget } from "#dist/maps/typing/byte-target.js";
import { longestText } from "#dist/maps/typing/longest-text.js";
import { sizeOfShape, type TypeShape } from "#dist/maps/typing/type-shape.js";
import { decode, encode } from "./support/codec.js";
import { hasOtherSpellings } from "./support/other-spellings.js";
import { randomShapes, valuesOf } from "./support/random-types.js";

test("encoding what was decoded gives back all bits that have a type, of any type", () => {
  const cases = randomShapes().chain((shape) =>
    fc.record({ shape: fc.constant(shape), bytes: bytesOf(shape) }),
  );
  fc.assert(
    fc.property(cases, ({ shape, bytes }) => {
      fc.pre(!hasOtherSpellings(shape, bytes));
      const text = decode(shape, bytes);
      JSON.parse(text);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(longestText(shape));
      const mask = typedBits(shape);
      const encoded = encode(shape, text);
      expect(and(encoded, mask)).toEqual(and(Buffer.from(bytes), mask));
      expect(decode(shape, encoded)).toBe(text);
    }),
    { numRuns: 3000 },
  );
});

test("decoding what was encoded gives back the value, of any type without unions", () => {
  const cases = randomShapes(false).chain((shape) =>
    fc.record({ shape: fc.constant(shape), value: valuesOf(shape) }),
  );
  fc.assert(
    fc.property(cases, ({ shape, value }) => {
      const text = decode(shape, encode(shape, JSON.stringify(value)));
      expect(JSON.parse(text)).toEqual(withoutMinusZero(value));
    }),
    { numRuns: 3000 },
  );
});

function bytesOf(shape: TypeShape): fc.Arbitrary<Uint8Array> {
  const length = { minLength: sizeOfShape(shape), maxLength: sizeOfShape(shape) };
  // Many zeros, or text that ends in zeros would hardly ever come up.
  const byte = fc.oneof(fc.nat({ max: 255 }), fc.constant(0), fc.constant(0x61));
  return fc.array(byte, length).map((bytes) => Uint8Array.from(bytes));
}

/** JSON.stringify writes -0 as 0, so the value that is read back is 0. */
function withoutMinusZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function and(bytes: Buffer, mask: Buffer): string {
  return Buffer.from(bytes.map((byte, index) => byte & (mask[index] as number))).toString("hex");
}

/** One bit for each bit that a field has. */
function typedBits(shape: TypeShape): Buffer {
  const target = new ByteTarget(Buffer.alloc(sizeOfShape(shape)), true);
  const visit = (part: TypeShape, bitOffset: number): void => {
    if (part.kind === "array") {
      for (let index = 0; index < part.length; index++) {
        visit(part.element, bitOffset + index * part.stride * 8);
      }
    } else if (part.kind === "composite") {
      for (const member of part.members) visit(member.shape, bitOffset + member.bitOffset);
    } else {
      target.put(0, bitOffset, part.bits, (1n << BigInt(part.bits)) - 1n);
    }
  };
  visit(shape, 0);
  return target.bytes;
}
