/*
 * Writing Protobuf's wire format in place, around bytes that are there already. Numbers
 * go up to 2^53 - 1.
 */

/** Bytes of a varint that holds any u32, and any number up to 2^53 - 1. */
export const U32_VARINT = 5;
export const U53_VARINT = 8;

/** Bytes of a field's tag, of a field number up to 15, and such a varint. */
export const U32_FIELD = 1 + U32_VARINT;
export const U53_FIELD = 1 + U53_VARINT;

/** Writes a tag and a varint so that they end before `end`; returns where they start. */
export function putField(buffer: Uint8Array, end: number, tag: number, value: number): number {
  const start = end - varintLength(value) - 1;
  buffer[start] = tag;
  putVarint(buffer, start + 1, value);
  return start;
}

/** Writes a varint from `start` on; returns where it ends. */
export function putVarint(buffer: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest & 0x7f) | 0x80;
  buffer[at++] = rest;
  return at;
}

/** Bytes of the shortest varint of a number. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}
