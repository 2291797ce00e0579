import type { Chunk, ChunkRoom } from "../../maps/index.js";
import { FRAME_HEADER, framed } from "../grpc-frame.js";
import { putField, U32_FIELD, U32_VARINT } from "./wire.js";

// Tags of the wire format: field number << 3 | wire type.
const DUMP_ELEMENTS = (2 << 3) | 2; // DumpMapResponse.elements
const ELEMENTS_COUNT = (1 << 3) | 0; // Elements.count
const ELEMENTS_KEYS = (2 << 3) | 2; // Elements.keys
const ELEMENTS_VALUES = (3 << 3) | 2; // Elements.values
const ELEMENTS_JSON_KEYS = (6 << 3) | 2; // Elements.json_keys
const ELEMENTS_JSON_VALUES = (7 << 3) | 2; // Elements.json_values

/** The tags and lengths of the message, of count and of the keys; those of the values. */
const BEFORE = 3 * U32_FIELD;
const BETWEEN = U32_FIELD;

/**
 * The room that a chunk needs around its columns, the frame of the message included.
 * Texts come as fields already, but for their tags.
 */
export const DUMP_CHUNK_ROOM: ChunkRoom = {
  before: FRAME_HEADER + BEFORE,
  between: BETWEEN,
  textMarks: { key: ELEMENTS_JSON_KEYS, value: ELEMENTS_JSON_VALUES },
};

/** Bytes by which a chunk's message may be larger than its columns. */
export const DUMP_CHUNK_OVERHEAD = BEFORE + BETWEEN;

/**
 * Makes a chunk the encoded `DumpMapResponse { elements { count, keys, values, … } }`
 * without copying the columns: all that comes before them is written into the room that
 * was left around them. The chunk's memory becomes the message.
 */
export function encodeDumpChunk(chunk: Chunk): Buffer {
  const { buffer, count, keysLength, valuesLength, textsLength = 0 } = chunk;
  const { before, between } = DUMP_CHUNK_ROOM;
  const valuesStart = before + keysLength + between;
  const columnsEnd = valuesLength > 0 ? valuesStart + valuesLength : before + keysLength;
  const end = columnsEnd + textsLength;

  // Written from back to front, since each length is known only when what it counts is.
  let start = valuesLength > 0 ? valuesStart : columnsEnd;
  if (valuesLength > 0) start = putPaddedField(buffer, start, ELEMENTS_VALUES, valuesLength);
  if (keysLength > 0) start = putField(buffer, before, ELEMENTS_KEYS, keysLength);
  if (count > 0) start = putField(buffer, start, ELEMENTS_COUNT, count);
  start = putField(buffer, start, DUMP_ELEMENTS, end - start);
  return framed(buffer, start, end, chunk.giveBack);
}

/**
 * As `putField`, with the longest varint that a u32 may take, padded with zero groups: the room
 * between the columns is fixed before the values are read. The wire format allows it, and
 * decoders take it.
 */
function putPaddedField(buffer: Uint8Array, end: number, tag: number, value: number): number {
  const start = end - U32_FIELD;
  buffer[start] = tag;
  for (let group = 0; group < U32_VARINT; group++) {
    const more = group < U32_VARINT - 1 ? 0x80 : 0;
    buffer[start + 1 + group] = (Math.floor(value / 0x80 ** group) & 0x7f) | more;
  }
  return start;
}
