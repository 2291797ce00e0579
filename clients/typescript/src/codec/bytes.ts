import { invalidArgument } from "../errors.js";
import type { Codec } from "./codec.js";

/** Bytes, exactly `size` of them. Reading copies them. */
export function bytes(size: number): Codec<Uint8Array> {
  return {
    size,
    alignment: 1,
    write(value, view, offset) {
      if (value.length !== size) {
        throw invalidArgument(`${value.length} bytes where ${size} are needed`);
      }
      bytesAt(view, offset, size).set(value);
    },
    read: (view, offset) => bytesAt(view, offset, size).slice(),
  };
}

/**
 * Text in a `char[size]`: UTF-8, ended by a zero byte where it is shorter than the array,
 * zeros after it.
 */
export function text(size: number): Codec<string> {
  return {
    size,
    alignment: 1,
    write(value, view, offset) {
      const encoded = new TextEncoder().encode(value);
      if (encoded.length > size || encoded.includes(0)) {
        throw invalidArgument(
          `"${value}" does not fit: at most ${size} bytes of UTF-8 without a zero byte`,
        );
      }
      const target = bytesAt(view, offset, size);
      target.fill(0);
      target.set(encoded);
    },
    read(view, offset) {
      const all = bytesAt(view, offset, size);
      const end = all.indexOf(0);
      return new TextDecoder().decode(end < 0 ? all : all.subarray(0, end));
    },
  };
}

function bytesAt(view: DataView, offset: number, size: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, size);
}
