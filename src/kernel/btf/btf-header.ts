import { BtfError } from "./btf-error.js";

const MAGIC = 0xeb9f;
const SWAPPED_MAGIC = 0x9feb;
const VERSION = 1;

/** Bytes of `struct btf_header` (include/uapi/linux/btf.h). */
export const HEADER_SIZE = 24;

/** The two sections of a BTF blob. */
export interface BtfSections {
  readonly types: Uint32Array;
  readonly strings: Buffer;
}

/** Finds the sections of a blob and checks what can be checked without reading types. */
export function readBtfSections(blob: Uint8Array): BtfSections {
  const bytes = aligned(blob);
  if (bytes.length < HEADER_SIZE) throw new BtfError(`${bytes.length} bytes are too few for BTF`);
  const magic = bytes.readUInt16LE(0);
  if (magic === SWAPPED_MAGIC) throw new BtfError("BTF of a machine with the other byte order");
  if (magic !== MAGIC) throw new BtfError("no BTF: the magic number is missing");
  const version = bytes.readUInt8(2);
  if (version !== VERSION) throw new BtfError(`BTF version ${version} is not known`);
  const headerSize = bytes.readUInt32LE(4);
  const types = section(bytes, headerSize, 8, "type");
  const strings = section(bytes, headerSize, 16, "string");
  if (types.byteOffset % 4 !== 0 || types.length % 4 !== 0) {
    throw new BtfError("the BTF type section is not a whole number of words");
  }
  if (strings.length > 0 && strings[strings.length - 1] !== 0) {
    throw new BtfError("the BTF string section does not end with a zero");
  }
  return { types: new Uint32Array(types.buffer, types.byteOffset, types.length / 4), strings };
}

/** Writes the header in front of the sections; the magic tells the byte order. */
export function writeBtfHeader(blob: Buffer, typesLength: number, stringsLength: number): void {
  blob.writeUInt16LE(MAGIC, 0);
  blob.writeUInt8(VERSION, 2);
  const words = [HEADER_SIZE, 0, typesLength, typesLength, stringsLength];
  for (const [index, word] of words.entries()) blob.writeUInt32LE(word, 4 + 4 * index);
}

function section(bytes: Buffer, headerSize: number, field: number, name: string): Buffer {
  const start = headerSize + bytes.readUInt32LE(field);
  const end = start + bytes.readUInt32LE(field + 4);
  if (end > bytes.length) throw new BtfError(`the BTF ${name} section reaches over the end`);
  return bytes.subarray(start, end);
}

/** Words are read in place, so the blob must start at a multiple of four. */
function aligned(blob: Uint8Array): Buffer {
  if (blob.byteOffset % 4 !== 0) return Buffer.from(new Uint8Array(blob).buffer);
  return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
}
