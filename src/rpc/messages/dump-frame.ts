import type { Chunk, ChunkRoom } from "../../maps/index.js";

// Tags of the wire format: field number << 3 | wire type.
const DUMP_ELEMENTS = (2 << 3) | 2; // DumpMapResponse.elements
const ELEMENTS_COUNT = (1 << 3) | 0; // Elements.count
const ELEMENTS_KEYS = (2 << 3) | 2; // Elements.keys
const ELEMENTS_VALUES = (3 << 3) | 2; // Elements.values

/** Bytes of a varint that holds any u32. */
const U32_VARINT = 5;
const FIELD = 1 + U32_VARINT;

/**
 * The room that a chunk needs around its columns: the tags and lengths of the message,
 * of count and of the keys before them; tag and length of the values between.
 */
export const DUMP_CHUNK_ROOM: ChunkRoom = { before: 3 * FIELD, between: FIELD };

/** Bytes by which a chunk's message may be larger than its columns. */
export const DUMP_CHUNK_OVERHEAD = DUMP_CHUNK_ROOM.before + DUMP_CHUNK_ROOM.between;

/**
 * Makes a chunk the encoded `DumpMapResponse { elements { count, keys, values } }`
 * without copying the columns: all that comes before them is written into the room that
 * was left around them. The chunk's memory becomes the message.
 */
export function encodeDumpChunk(chunk: Chunk): Buffer {
  const { buffer, count, keysLength, valuesLength } = chunk;
  const { before, between } = DUMP_CHUNK_ROOM;
  const valuesStart = before + keysLength + between;
  const end = valuesLength > 0 ? valuesStart + valuesLength : before + keysLength;

  // Written from back to front, since each length is known only when what it counts is.
  let start = valuesLength > 0 ? valuesStart : end;
  if (valuesLength > 0) start = putPaddedField(buffer, start, ELEMENTS_VALUES, valuesLength);
  if (keysLength > 0) start = putField(buffer, before, ELEMENTS_KEYS, keysLength);
  if (count > 0) start = putField(buffer, start, ELEMENTS_COUNT, count);
  start = putField(buffer, start, DUMP_ELEMENTS, end - start);
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start);
}

/** Writes a tag and a varint so that they end before `end`; returns where they start. */
function putField(buffer: Uint8Array, end: number, tag: number, value: number): number {
  const start = end - varintLength(value) - 1;
  buffer[start] = tag;
  let at = start + 1;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest & 0x7f) | 0x80;
  buffer[at] = rest;
  return start;
}

/**
 * The same with the longest varint that a u32 may take, padded with zero groups: the room
 * between the columns is fixed before the values are read. The wire format allows it, and
 * decoders take it.
 */
function putPaddedField(buffer: Uint8Array, end: number, tag: number, value: number): number {
  const start = end - FIELD;
  buffer[start] = tag;
  for (let group = 0; group < U32_VARINT; group++) {
    const more = group < U32_VARINT - 1 ? 0x80 : 0;
    buffer[start + 1 + group] = (Math.floor(value / 0x80 ** group) & 0x7f) | more;
  }
  return start;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}
