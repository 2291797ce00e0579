/**
 * What data looks like, in plain data that can be sent to a thread: a BTF type with its
 * names resolved, typedefs and qualifiers gone, and anonymous members in their parent.
 */
export type TypeShape = ScalarShape | ArrayShape | CompositeShape;

/** What has no parts: a number of some sort. */
export type ScalarShape = IntShape | BoolShape | CharShape | EnumShape | FloatShape | BitsShape;

interface Scalar {
  /** What people call the type, such as "__u32". */
  readonly name: string;
  /** Bits that count. */
  readonly bits: number;
}

/** A whole number, or a pointer's address. */
export interface IntShape extends Scalar {
  readonly kind: "int";
  readonly signed: boolean;
}

/** true or false; one byte mostly, or a bitfield. */
export interface BoolShape extends Scalar {
  readonly kind: "bool";
}

/** One byte that BTF calls a character (BTF_INT_CHAR, which clang writes for no type of C). */
export interface CharShape extends Scalar {
  readonly kind: "char";
}

export interface EnumShape extends Scalar {
  readonly kind: "enum";
  readonly signed: boolean;
  readonly names: readonly { readonly name: string; readonly value: number | bigint }[];
}

/** A number of 16, 32 or 64 bits as IEEE 754 has it. */
export interface FloatShape extends Scalar {
  readonly kind: "float";
}

/** What is only known by its bits: a long double. */
export interface BitsShape extends Scalar {
  readonly kind: "bits";
}

export interface ArrayShape {
  readonly kind: "array";
  readonly name: string;
  readonly element: TypeShape;
  /** Bytes from one element to the next. */
  readonly stride: number;
  readonly length: number;
  /** Its elements are characters, so that it may be text. */
  readonly isText: boolean;
}

/** A struct, a union, or a data section with its variables. */
export interface CompositeShape {
  readonly kind: "composite";
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly members: readonly MemberShape[];
  /** Some members share bytes: it is a union, or has an anonymous one. */
  readonly overlaps: boolean;
}

export interface MemberShape {
  /** No two members of a composite have the same. */
  readonly name: string;
  /** From the start of the composite. */
  readonly bitOffset: number;
  readonly shape: TypeShape;
}

/** Bytes that data of this shape takes; of a bitfield, those that its bits would fill. */
export function sizeOfShape(shape: TypeShape): number {
  switch (shape.kind) {
    case "array":
      return shape.stride * shape.length;
    case "composite":
      return shape.size;
    default:
      return Math.ceil(shape.bits / 8);
  }
}

/** Bytes without a type, as an array of numbers from 0 to 255. */
export function untypedShape(size: number): ArrayShape {
  const element: IntShape = { kind: "int", name: "byte", bits: 8, signed: false };
  return { kind: "array", name: "bytes", element, stride: 1, length: size, isText: false };
}

/** The number that an index of an array is. */
export const INDEX_SHAPE: IntShape = { kind: "int", name: "__u32", bits: 32, signed: false };
