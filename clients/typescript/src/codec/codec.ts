/**
 * Turns values of one type into bytes of a fixed size and back, as C lays them out.
 *
 * `write` throws BpfmapError INVALID_ARGUMENT for a value that does not fit: nothing is
 * cut or padded in silence. `littleEndian` is the byte order of the map's host, which a
 * codec of network byte order ignores.
 */
export interface Codec<T> {
  /** Bytes that a value takes. */
  readonly size: number;
  /** What a value's offset inside a struct must be a multiple of, in bytes. */
  readonly alignment: number;
  /** Writes a value at an offset; every one of its bytes, padding included. */
  write(value: T, view: DataView, offset: number, littleEndian: boolean): void;
  /** Reads the value at an offset. */
  read(view: DataView, offset: number, littleEndian: boolean): T;
}

/** The type of a codec's values. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** The bytes of a value. */
export function encode<T>(codec: Codec<T>, value: T, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(codec.size);
  codec.write(value, new DataView(bytes.buffer), 0, littleEndian);
  return bytes;
}

/** The value of bytes, which must be as many as the codec's size. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array, littleEndian: boolean): T {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return codec.read(view, 0, littleEndian);
}
