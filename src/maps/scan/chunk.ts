import type { Columns } from "../columns.js";

/**
 * Free bytes that the receiver of chunks wants around the columns, so that a wire
 * header fits before each of them without a copy.
 */
export interface ChunkRoom {
  /** Before the keys. */
  readonly before: number;
  /** Between keys and values; none before texts where there are no values. */
  readonly between: number;
  /** The byte to put before the length of each JSON text, by what it tells; 0 if absent. */
  readonly textMarks?: { readonly key: number; readonly value: number };
}

/**
 * Elements in one buffer: `[room.before][keys][room.between][values][texts]`. A column
 * that was not asked for has length 0. The buffer is the receiver's to keep.
 *
 * Texts are JSON in UTF-8, each with its mark (`room.textMarks`) and its length as a
 * LEB128 number before it. Texts of keys stand in the order of the elements, and so do
 * those of values.
 */
export interface Chunk {
  readonly count: number;
  readonly buffer: Uint8Array;
  readonly keysLength: number;
  readonly valuesLength: number;
  /** Absent for no texts. */
  readonly textsLength?: number;
  /**
   * Takes the memory back for another chunk, when nobody will look at it any more. Need not
   * be called.
   */
  readonly giveBack?: () => void;
}

const NO_TEXTS: Uint8Array = new Uint8Array(0);

/** Puts columns into a chunk of their own. */
export function packChunk(
  count: number,
  keys: Uint8Array,
  values: Uint8Array,
  room: ChunkRoom,
  texts = NO_TEXTS,
): Chunk {
  // Texts must follow what is before them without a gap.
  const isGap = values.length === 0 && texts.length > 0;
  const between = isGap ? 0 : room.between;
  const valuesAt = room.before + keys.length + between;
  // Its own ArrayBuffer, so that it can be handed to another thread without a copy.
  const buffer = Buffer.allocUnsafeSlow(valuesAt + values.length + texts.length);
  // The room comes from malloc; what is not overwritten there must not leave the process.
  buffer.fill(0, 0, room.before);
  buffer.set(keys, room.before);
  buffer.fill(0, room.before + keys.length, valuesAt);
  buffer.set(values, valuesAt);
  buffer.set(texts, valuesAt + values.length);
  return {
    count,
    buffer,
    keysLength: keys.length,
    valuesLength: values.length,
    ...(texts.length > 0 && { textsLength: texts.length }),
  };
}

/** The columns of a chunk that was packed with this room. */
export function columnsOf(chunk: Chunk, room: ChunkRoom): Columns {
  const { count, buffer, keysLength, valuesLength } = chunk;
  const keysEnd = room.before + keysLength;
  const valuesAt = keysEnd + room.between;
  return {
    count,
    keys: buffer.subarray(room.before, keysEnd),
    values: buffer.subarray(valuesAt, valuesAt + valuesLength),
  };
}
