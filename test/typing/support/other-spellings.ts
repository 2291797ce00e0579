import { readFloat } from "#dist/maps/typing/float.js";
import { intReader } from "#dist/maps/typing/int-reader.js";
import type { TypeShape } from "#dist/maps/typing/type-shape.js";

/** Whether JSON of these bytes stands for other bytes too: of a bool that is 2, of NaN. */
export function hasOtherSpellings(shape: TypeShape, bytes: Uint8Array, bitOffset = 0): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (shape.kind) {
    case "array":
      return Array.from({ length: shape.length }, (_, index) => index).some((index) =>
        hasOtherSpellings(shape.element, bytes, bitOffset + index * shape.stride * 8),
      );
    case "composite":
      return shape.members.some((member) =>
        hasOtherSpellings(member.shape, bytes, bitOffset + member.bitOffset),
      );
    case "bool":
      return intReader(bitOffset, shape.bits, false)(buffer, 0) > 1;
    case "float":
      return Number.isNaN(readFloat(buffer, bitOffset / 8, shape.bits));
    default:
      return false;
  }
}
