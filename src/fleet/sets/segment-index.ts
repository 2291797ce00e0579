import { SetError } from "./set-error.js";

/** A segment of a set's base, as the index has it. */
export interface SegmentEntry {
  /** Its SHA-256 in hexadecimal. */
  readonly hash: string;
  /** Elements in it. */
  readonly count: number;
  /** Its first key. */
  readonly first: Uint8Array;
}

/** Segments of a page at most, and on average: where a page ends depends on what it has. */
const PAGE_SEGMENTS = 1024;
const PAGE_MASK = 0xff;

/** Bytes of a page: words of magic, key size and entries, then hash, count and first key of each. */
const MAGIC = 0x31696d62; // "bmi1"
const HEADER = 12;
const HASH = 32;

/** The bytes of a page of the index. */
export function encodePage(keySize: number, entries: readonly SegmentEntry[]): Uint8Array {
  const stride = HASH + 4 + keySize;
  const bytes = Buffer.alloc(HEADER + entries.length * stride);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(keySize, 4);
  bytes.writeUInt32LE(entries.length, 8);
  for (const [index, { hash, count, first }] of entries.entries()) {
    const at = HEADER + index * stride;
    bytes.write(hash, at, "hex");
    bytes.writeUInt32LE(count, at + HASH);
    bytes.set(first, at + HASH + 4);
  }
  return bytes;
}

/** The entries of a page, in the order of their keys; DAMAGED where it is none. */
export function decodePage(keySize: number, page: Uint8Array): SegmentEntry[] {
  const bytes = Buffer.from(page.buffer, page.byteOffset, page.length);
  const stride = HASH + 4 + keySize;
  const isPage =
    bytes.length >= HEADER && bytes.readUInt32LE(0) === MAGIC && bytes.readUInt32LE(4) === keySize;
  const count = isPage ? bytes.readUInt32LE(8) : 0;
  if (!isPage || bytes.length !== HEADER + count * stride) {
    throw new SetError("DAMAGED", "a page of a map set's index cannot be read");
  }
  return Array.from({ length: count }, (_, index) => {
    const at = HEADER + index * stride;
    return {
      hash: bytes.toString("hex", at, at + HASH),
      count: bytes.readUInt32LE(at + HASH),
      first: bytes.subarray(at + HASH + 4, at + stride),
    };
  });
}

/** Whether a page ends after these entries. The last one's hash decides, so that a change does not move the ends of other pages. */
export function endsPage(entries: readonly SegmentEntry[]): boolean {
  const last = entries.at(-1);
  if (last === undefined) return false;
  return (
    entries.length >= PAGE_SEGMENTS || (Number.parseInt(last.hash.slice(-4), 16) & PAGE_MASK) === 0
  );
}
