import type { MapLayout } from "../../maps/index.js";

/** Longest value that comes with its record; longer ones are looked up. */
const LONGEST_VALUE = 4096;

/** What a record tells of: a put or a delete of its key, or of any number of elements. */
export const RecordKind = { PUT: 1, DELETE: 2, MANY: 3 } as const;

/** How the change was made, as `WriterKind`. */
export const WriterCode = { SYSCALL: 1, PROGRAM: 2 } as const;

/**
 * How records lie in the ring buffer between the traced kernel and the daemon:
 *
 *     u64 time; u32 pid; u8 kind; u8 writer; u8 hasValue; u8 pad; char comm[16]; u64 lost;
 *     key; value
 *
 * Key and value start at multiples of 8. All records of a map have one size.
 */
export class RecordLayout {
  static readonly TIME = 0;
  static readonly PID = 8;
  static readonly KIND = 12;
  static readonly WRITER = 13;
  static readonly HAS_VALUE = 14;
  static readonly COMM = 16;
  static readonly COMM_SIZE = 16;
  static readonly LOST = 32;
  static readonly KEY = 40;

  readonly keySize: number;
  readonly valueSize: number;
  readonly value: number;
  readonly size: number;

  constructor({ keySize, valueStride }: MapLayout) {
    this.keySize = keySize;
    this.valueSize = valueStride <= LONGEST_VALUE ? valueStride : 0;
    this.value = RecordLayout.KEY + ((keySize + 7) & ~7);
    this.size = this.value + ((this.valueSize + 7) & ~7);
  }

  /** Reads the record at a place of the ring; key and value are copies. */
  read(ring: Buffer, at: number): TraceRecord {
    const hasValue = ring[at + RecordLayout.HAS_VALUE] === 1;
    const comm = ring.subarray(at + RecordLayout.COMM, at + RecordLayout.LOST);
    return {
      monotonicNs: ring.readBigUInt64LE(at + RecordLayout.TIME),
      pid: ring.readUInt32LE(at + RecordLayout.PID),
      kind: ring[at + RecordLayout.KIND] ?? 0,
      writer: ring[at + RecordLayout.WRITER] ?? 0,
      lostBefore: Number(ring.readBigUInt64LE(at + RecordLayout.LOST)),
      comm: comm.toString("utf8", 0, Math.max(0, comm.indexOf(0))),
      key: Buffer.from(ring.subarray(at + RecordLayout.KEY, at + RecordLayout.KEY + this.keySize)),
      value: hasValue
        ? Buffer.from(ring.subarray(at + this.value, at + this.value + this.valueSize))
        : undefined,
    };
  }
}

/** A traced call. */
export interface TraceRecord {
  /** The kernel's monotonic clock, in nanoseconds. */
  readonly monotonicNs: bigint;
  readonly pid: number;
  /** One of {@link RecordKind}. */
  readonly kind: number;
  /** One of {@link WriterCode}. */
  readonly writer: number;
  readonly comm: string;
  /** Calls that the ring had no room for before this one, since tracing began. */
  readonly lostBefore: number;
  readonly key: Buffer;
  /** The value that was put, where the record has room for it. */
  readonly value: Buffer | undefined;
}
