import { invalidArgument } from "../errors.js";
import type { Codec } from "./codec.js";

type Getter<T> = (this: DataView, offset: number, littleEndian?: boolean) => T;
type Setter<T> = (this: DataView, offset: number, value: T, littleEndian?: boolean) => void;

/** `fixedOrder`: whether the bytes are little-endian whatever the host; absent for the host's. */
function number<T extends number | bigint>(
  size: number,
  get: Getter<T>,
  set: Setter<T>,
  check: (value: T) => void,
  fixedOrder?: boolean,
): Codec<T> {
  return {
    size,
    alignment: size,
    write(value, view, offset, littleEndian) {
      check(value);
      set.call(view, offset, value, fixedOrder ?? littleEndian);
    },
    read: (view, offset, littleEndian) => get.call(view, offset, fixedOrder ?? littleEndian),
  };
}

// DataView wraps what is out of range around; a map must not get another number than
// the one that was meant.
function within(name: string, least: number, greatest: number): (value: number) => void {
  return (value) => {
    if (!Number.isInteger(value) || value < least || value > greatest) {
      throw invalidArgument(`${value} is no ${name}: a whole number from ${least} to ${greatest}`);
    }
  };
}

function within64(name: string, least: bigint, greatest: bigint): (value: bigint) => void {
  return (value) => {
    if (typeof value !== "bigint" || value < least || value > greatest) {
      throw invalidArgument(`${value} is no ${name}: a bigint from ${least} to ${greatest}`);
    }
  };
}

const isU8 = within("u8", 0, 0xff);
const isU16 = within("u16", 0, 0xffff);
const isU32 = within("u32", 0, 0xffff_ffff);
const isU64 = within64("u64", 0n, 2n ** 64n - 1n);
const anyNumber = (value: number) => {
  if (typeof value !== "number") throw invalidArgument(`${value} is no number`);
};

const { prototype: view } = DataView;

/** An unsigned byte. */
export const u8 = /* @__PURE__ */ number(1, view.getUint8, view.setUint8, isU8);
/** A signed byte. */
export const i8 = /* @__PURE__ */ number(1, view.getInt8, view.setInt8, within("i8", -128, 127));
/** An unsigned number of 2 bytes in the host's byte order. */
export const u16 = /* @__PURE__ */ number(2, view.getUint16, view.setUint16, isU16);
/** A signed number of 2 bytes in the host's byte order. */
export const i16 = /* @__PURE__ */ number(
  2,
  view.getInt16,
  view.setInt16,
  within("i16", -32768, 32767),
);
/** An unsigned number of 4 bytes in the host's byte order. */
export const u32 = /* @__PURE__ */ number(4, view.getUint32, view.setUint32, isU32);
/** A signed number of 4 bytes in the host's byte order. */
export const i32 = /* @__PURE__ */ number(
  4,
  view.getInt32,
  view.setInt32,
  within("i32", -(2 ** 31), 2 ** 31 - 1),
);
/** An unsigned number of 8 bytes in the host's byte order, as a bigint. */
export const u64 = /* @__PURE__ */ number(8, view.getBigUint64, view.setBigUint64, isU64);
/** A signed number of 8 bytes in the host's byte order, as a bigint. */
export const i64 = /* @__PURE__ */ number(
  8,
  view.getBigInt64,
  view.setBigInt64,
  within64("i64", -(2n ** 63n), 2n ** 63n - 1n),
);
/** A float of 4 bytes in the host's byte order. */
export const f32 = /* @__PURE__ */ number(4, view.getFloat32, view.setFloat32, anyNumber);
/** A float of 8 bytes in the host's byte order. */
export const f64 = /* @__PURE__ */ number(8, view.getFloat64, view.setFloat64, anyNumber);

/** An unsigned number of 2 bytes in network byte order (`__be16`), such as a port. */
export const be16 = /* @__PURE__ */ number(2, view.getUint16, view.setUint16, isU16, false);
/** An unsigned number of 4 bytes in network byte order (`__be32`). */
export const be32 = /* @__PURE__ */ number(4, view.getUint32, view.setUint32, isU32, false);
/** An unsigned number of 8 bytes in network byte order (`__be64`), as a bigint. */
export const be64 = /* @__PURE__ */ number(8, view.getBigUint64, view.setBigUint64, isU64, false);

/** A `bool` of C: one byte, 0 or 1. Any other byte reads as true. */
export const bool: Codec<boolean> = {
  size: 1,
  alignment: 1,
  write(value, at, offset) {
    if (typeof value !== "boolean") throw invalidArgument(`${value} is no boolean`);
    at.setUint8(offset, value ? 1 : 0);
  },
  read: (at, offset) => at.getUint8(offset) !== 0,
};
