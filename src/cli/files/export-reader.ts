import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import {
  type Map as BpfMap,
  type Elements,
  type ExportHeader,
  type ExportRecord,
  ExportRecordSchema,
  type ExportTrailer,
  ObjectValueSchema,
} from "@bpfmapd/client/proto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { CliError } from "../cli-error.js";

/** The format that this version writes and reads (ExportHeader.format). */
export const EXPORT_FORMAT = 1;

/** A longer record cannot come from an export: it is the length of a damaged file. */
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** What a check of an export file found out. */
export interface CheckedExport {
  readonly header: ExportHeader;
  readonly map: BpfMap;
  readonly trailer: ExportTrailer;
}

/** Whether the file begins with the header of an export. */
export async function isExportFile(file: FileHandle): Promise<boolean> {
  try {
    const first = await readRecord(file, 0);
    return first !== undefined && isHeader(first.record);
  } catch {
    return false;
  }
}

/**
 * Reads the whole file and checks everything in it: its records, the sizes of the
 * elements against the map, the count and the checksum. Throws CliError where
 * anything is wrong.
 */
export async function checkExport(file: FileHandle): Promise<CheckedExport> {
  const records = readRecords(file);
  const first = (await records.next()).value;
  if (first === undefined || !isHeader(first.record)) {
    throw new CliError("it is no export of bpfmapctl");
  }
  const header = first.record.kind.value as ExportHeader;
  if (header.format !== EXPORT_FORMAT) {
    throw new CliError(`its format is ${header.format}; this version reads ${EXPORT_FORMAT}`);
  }
  const map = header.map;
  if (map === undefined) throw new CliError("its header names no map");
  const digest = new ExportDigest();
  digest.addHeader(first.bytes);
  for await (const { record } of records) {
    const { kind } = record;
    if (kind.case === "trailer") {
      digest.check(kind.value);
      if ((await records.next()).done !== true) throw new CliError("it goes on after its trailer");
      return { header, map, trailer: kind.value };
    }
    if (kind.case !== "elements") throw new CliError("it has a record that does not belong there");
    checkSizes(kind.value, map);
    digest.add(kind.value);
  }
  throw new CliError("it was cut: its trailer is missing");
}

/**
 * Reads the elements of a file that was checked. Throws where they are not the same
 * any more, before the last ones are given out.
 */
export async function* readExport(
  file: FileHandle,
  checked: CheckedExport,
): AsyncGenerator<Elements, void> {
  const digest = new ExportDigest();
  let held: Elements | undefined;
  for await (const { record, bytes } of readRecords(file)) {
    const { kind } = record;
    if (kind.case === "header") digest.addHeader(bytes);
    if (kind.case !== "elements") continue;
    checkSizes(kind.value, checked.map);
    digest.add(kind.value);
    if (held !== undefined) yield held;
    held = kind.value;
  }
  digest.check(checked.trailer);
  if (held !== undefined) yield held;
}

type ExportedElements = Pick<Elements, "count" | "keys" | "values"> &
  Partial<Pick<Elements, "objectValues">>;

/** Count and SHA-256 of what a trailer vouches for, in file order (ExportTrailer). */
export class ExportDigest {
  readonly #hash = createHash("sha256");
  #count = 0n;

  /** Adds the header record as it stands in the file, without its length. */
  addHeader(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  add(elements: ExportedElements): void {
    this.#hash.update(elements.keys).update(elements.values);
    for (const object of elements.objectValues ?? []) {
      this.#hash.update(toBinary(ObjectValueSchema, object));
    }
    this.#count += BigInt(elements.count);
  }

  finish(): { count: bigint; sha256: Uint8Array } {
    return { count: this.#count, sha256: this.#hash.digest() };
  }

  check(trailer: ExportTrailer): void {
    const { count, sha256 } = this.finish();
    if (count !== trailer.count) {
      throw new CliError(
        `it is damaged: it has ${count} elements and should have ${trailer.count}`,
      );
    }
    if (Buffer.compare(sha256, trailer.sha256) !== 0) {
      throw new CliError("it is damaged: its checksum is wrong");
    }
  }
}

function isHeader({ kind }: ExportRecord): boolean {
  return kind.case === "header" && kind.value.format > 0 && kind.value.map !== undefined;
}

function checkSizes(elements: Elements, map: BpfMap): void {
  const { count, keys, values } = elements;
  const objects = elements.objectValues.length;
  const hasSizes = keys.length === count * map.keySize && values.length === count * map.valueStride;
  if (!hasSizes || (objects !== 0 && objects !== count)) {
    throw new CliError("it is damaged: its elements do not have the sizes of its map");
  }
}

async function* readRecords(file: FileHandle): AsyncGenerator<FileRecord, void> {
  let at = 0;
  for (;;) {
    const read = await readRecord(file, at);
    if (read === undefined) return;
    yield read;
    at = read.end;
  }
}

/** A record with its bytes, and the offset where it ends. */
interface FileRecord {
  readonly record: ExportRecord;
  readonly bytes: Uint8Array;
  readonly end: number;
}

/** The record at an offset. Undefined at the end of the file. */
async function readRecord(file: FileHandle, at: number): Promise<FileRecord | undefined> {
  const head = await readAt(file, at, 10);
  if (head.length === 0) return undefined;
  const { length, size } = decodeLength(head);
  const bytes = await readAt(file, at + size, length);
  if (bytes.length < length) throw new CliError("it was cut in the middle of a record");
  try {
    const record = fromBinary(ExportRecordSchema, bytes);
    return { record, bytes, end: at + size + length };
  } catch {
    throw new CliError("it is damaged: a record cannot be decoded");
  }
}

/** The varint that stands before each record. */
function decodeLength(bytes: Uint8Array): { length: number; size: number } {
  let length = 0;
  for (const [index, byte] of bytes.entries()) {
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) {
      if (length > MAX_RECORD_BYTES) break;
      return { length, size: index + 1 };
    }
  }
  throw new CliError("it is damaged: a record's length cannot be right");
}

/** Up to `length` bytes from an offset; fewer only where the file ends. */
async function readAt(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}
