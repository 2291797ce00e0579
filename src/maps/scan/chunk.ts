/**
 * Free bytes that the receiver of chunks wants around the columns, so that a wire
 * header fits before each of them without a copy.
 */
export interface ChunkRoom {
  /** Before the keys. */
  readonly before: number;
  /** Between keys and values. */
  readonly between: number;
}

/**
 * Elements in one buffer: `[room.before][keys][room.between][values]`. A column that
 * was not asked for has length 0. The buffer is the receiver's to keep.
 */
export interface Chunk {
  readonly count: number;
  readonly buffer: Uint8Array;
  readonly keysLength: number;
  readonly valuesLength: number;
}

/** Puts columns into a chunk of their own. */
export function packChunk(
  count: number,
  keys: Uint8Array,
  values: Uint8Array,
  room: ChunkRoom,
): Chunk {
  const valuesAt = room.before + keys.length + room.between;
  // Its own ArrayBuffer, so that it can be handed to another thread without a copy.
  const buffer = Buffer.allocUnsafeSlow(valuesAt + values.length);
  // The room comes from malloc; what is not overwritten there must not leave the process.
  buffer.fill(0, 0, room.before);
  buffer.set(keys, room.before);
  buffer.fill(0, room.before + keys.length, valuesAt);
  buffer.set(values, valuesAt);
  return { count, buffer, keysLength: keys.length, valuesLength: values.length };
}
