import type { TypeShape } from "./type-shape.js";

/** A number of 64 bits in quotes; floats are shorter than 25 characters, too. */
const LONGEST_NUMBER = 25;
/** A character that JSON writes as an escape. */
const LONGEST_CHARACTER = 8;

/** The most bytes that the JSON text of a shape can have. */
export function longestText(shape: TypeShape): number {
  switch (shape.kind) {
    case "int":
    case "float":
    case "bits":
      return LONGEST_NUMBER + Math.ceil(shape.bits / 2);
    case "bool":
      return "false".length;
    case "char":
      return LONGEST_CHARACTER;
    case "enum":
      return Math.max(LONGEST_NUMBER, ...shape.names.map(({ name }) => jsonLength(name)));
    case "array":
      return 2 + shape.length * (longestElement(shape.element) + 1);
    case "composite":
      return shape.members.reduce(
        (sum, { name, shape: member }) => sum + jsonLength(name) + 2 + longestText(member),
        2,
      );
  }
}

/** Of small numbers, which arrays of bytes have many of, the bound is close. */
function longestElement(shape: TypeShape): number {
  if (shape.kind === "int" && shape.bits <= 32) return 1 + Math.ceil(shape.bits / 3);
  return longestText(shape);
}

function jsonLength(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}
