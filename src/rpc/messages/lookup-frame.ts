import { putField, U32_FIELD } from "./wire.js";

// Tags of the wire format: field number << 3 | wire type.
const RESPONSE_ELEMENTS = (1 << 3) | 2; // LookupElementsResponse.elements
const ELEMENTS_COUNT = (1 << 3) | 0; // Elements.count
const ELEMENTS_VALUES = (3 << 3) | 2; // Elements.values

/** The encoded `LookupElementsResponse { elements { count, values } }`: what most lookups answer. */
export function encodeValues(count: number, values: Uint8Array): Buffer {
  const room = 3 * U32_FIELD;
  const buffer = Buffer.allocUnsafe(room + values.length);
  buffer.set(values, room);
  let start = room;
  if (values.length > 0) start = putField(buffer, start, ELEMENTS_VALUES, values.length);
  if (count > 0) start = putField(buffer, start, ELEMENTS_COUNT, count);
  start = putField(buffer, start, RESPONSE_ELEMENTS, buffer.length - start);
  return buffer.subarray(start);
}
