import type { BatchRoom, RecordBatch } from "../../records/index.js";
import { putField, putVarint, U32_FIELD, U32_VARINT, U53_FIELD, varintLength } from "./wire.js";

// Tags of the wire format: field number << 3 | wire type.
const RESPONSE_RECORDS = (2 << 3) | 2; // ReadRecordsResponse.records
const FIRST_SEQUENCE = (1 << 3) | 0; // Records.first_sequence
const SIZES = (2 << 3) | 2; // Records.sizes, packed
const DATA = (3 << 3) | 2; // Records.data
const CPUS = (4 << 3) | 2; // Records.cpus, packed
const TIMES_NS = (5 << 3) | 2; // Records.times_ns, packed

const U64_BYTES = 8;

/**
 * The room that a batch needs around its data: before it the tags and lengths of the
 * message and of the data and the first sequence number, behind it the columns.
 */
export const RECORD_ROOM: BatchRoom = {
  before: U32_FIELD + U53_FIELD + U32_FIELD,
  perRecord: U32_VARINT,
  perTimedRecord: U32_VARINT + U32_VARINT + U64_BYTES,
  after: 3 * U32_FIELD,
};

/** Bytes by which the message of one record may be larger than the record. */
export const RECORD_OVERHEAD = RECORD_ROOM.before + RECORD_ROOM.perTimedRecord + RECORD_ROOM.after;

const encoded = new WeakMap<RecordBatch, Buffer>();

/**
 * Makes a batch the encoded `ReadRecordsResponse { records { … } }`, in its own memory and
 * without copying the data. Done once, however many subscribers there are.
 */
export function encodeRecords(batch: RecordBatch): Buffer {
  const known = encoded.get(batch);
  if (known) return known;
  const message = encode(batch);
  encoded.set(batch, message);
  return message;
}

function encode(batch: RecordBatch): Buffer {
  const { buffer, dataStart, dataLength, firstSequence } = batch;
  const end = putColumns(batch, dataStart + dataLength);
  let start = dataStart;
  // An empty field is left out, as encoders do.
  if (dataLength > 0) start = putField(buffer, start, DATA, dataLength);
  if (firstSequence > 0) start = putField(buffer, start, FIRST_SEQUENCE, firstSequence);
  start = putField(buffer, start, RESPONSE_RECORDS, end - start);
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start);
}

/** Writes the columns from `start` on; answers where they end. */
function putColumns({ buffer, sizes, cpus, timesNs }: RecordBatch, start: number): number {
  let at = putPacked(buffer, start, SIZES, sizes);
  if (cpus) at = putPacked(buffer, at, CPUS, cpus);
  if (timesNs) at = putTimes(buffer, at, timesNs);
  return at;
}

/** Numbers as a packed field; its length is written first, so it is counted first. */
function putPacked(buffer: Uint8Array, start: number, tag: number, numbers: Uint32Array): number {
  let length = 0;
  for (const number of numbers) length += varintLength(number);
  let at = start;
  buffer[at++] = tag;
  at = putVarint(buffer, at, length);
  for (const number of numbers) at = putVarint(buffer, at, number);
  return at;
}

function putTimes(buffer: Uint8Array, start: number, timesNs: BigUint64Array): number {
  let at = start;
  buffer[at++] = TIMES_NS;
  at = putVarint(buffer, at, timesNs.byteLength);
  const view = new DataView(buffer.buffer, buffer.byteOffset);
  for (const timeNs of timesNs) {
    view.setBigUint64(at, timeNs, true);
    at += U64_BYTES;
  }
  return at;
}
