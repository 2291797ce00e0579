import { KernelError } from "../errno.js";
import { pageSize } from "../host.js";
import { mapInfo } from "../map-info.js";
import { MappedRegion } from "../mapped-region.js";
import { BUSY, DISCARDED, HEADER_SIZE, LENGTH_MASK, spaceOf } from "./ring-record.js";

/**
 * Sees one record: bytes `start` to `end` of `ring`. They are the kernel's and may be
 * overwritten as soon as the read has ended, so copy what is to stay.
 */
export type RecordVisitor = (ring: Buffer, start: number, end: number) => void;

/** BPF_MAP_TYPE_RINGBUF. */
const RINGBUF = 27;

/** BPF_F_RB_OVERWRITE (Linux 6.19): the producer does not wait for any reader. */
const OVERWRITE = 1 << 19;

/**
 * Takes the records out of a ring buffer map, in the order in which programs reserved
 * them. A record is given to one reader only, so there should be one for each ring.
 *
 * Layout (kernel/bpf/ringbuf.c): a page with the consumer's position, a page with the
 * producer's, and the data, mapped twice in a row so that no record is ever broken.
 */
export class RingBufferReader {
  /** Bytes of the ring. */
  readonly size: number;
  readonly #regions: readonly MappedRegion[];
  readonly #consumer: BigInt64Array;
  readonly #producer: BigInt64Array;
  readonly #words: Int32Array;
  readonly #bytes: Buffer;

  private constructor(size: number, consumer: MappedRegion, producer: MappedRegion) {
    const data = pageSize();
    this.size = size;
    this.#regions = [consumer, producer];
    this.#consumer = new BigInt64Array(consumer.memory, 0, 1);
    this.#producer = new BigInt64Array(producer.memory, 0, 1);
    this.#words = new Int32Array(producer.memory, data, (2 * size) / 4);
    this.#bytes = Buffer.from(producer.memory, data, 2 * size);
  }

  /**
   * Maps the ring of a map's fd; the fd may be closed after, but is needed to wait for
   * records. Throws KernelError: EINVAL for what is no ring buffer, EOPNOTSUPP for one
   * in overwrite mode.
   */
  static open(fd: number): RingBufferReader {
    const { type, maxEntries: size, flags } = mapInfo(fd);
    if (type !== RINGBUF) throw new KernelError("EINVAL", "mmap");
    if (flags & OVERWRITE) throw new KernelError("EOPNOTSUPP", "mmap");
    const page = pageSize();
    const consumer = MappedRegion.map(fd, { length: page, writable: true });
    try {
      const producer = MappedRegion.map(fd, { length: page + 2 * size, offset: page });
      return new RingBufferReader(size, consumer, producer);
    } catch (error) {
      consumer.unmap();
      throw error;
    }
  }

  /** Whether no finished record waits. */
  get isEmpty(): boolean {
    const position = Atomics.load(this.#consumer, 0);
    if (Atomics.load(this.#producer, 0) === position) return true;
    const at = Number(position & BigInt(this.size - 1));
    return (Atomics.load(this.#words, at >>> 2) & BUSY) !== 0;
  }

  /** Bytes that wait in the ring, headers and records that are not finished included. */
  get available(): number {
    // V8 orders Atomics on memory that is not a SharedArrayBuffer just the same: the
    // machine code is one. Records before the position are complete when it is seen.
    return Number(Atomics.load(this.#producer, 0) - Atomics.load(this.#consumer, 0));
  }

  /**
   * Visits the records that are there, at most `maxRecords`, and of more than one at most
   * what takes `maxBytes` of the ring; then gives their room back to the kernel, all at
   * once. Answers how many it visited. A record that is reserved but not written yet
   * holds up those behind it, to keep the order.
   *
   * Where `visit` throws, its record counts as read. To wait for more, read until
   * {@link isEmpty}, then re-arm an `EpollWaiter`: the kernel only wakes a reader that
   * had read everything.
   */
  read(
    visit: RecordVisitor,
    maxRecords = Number.POSITIVE_INFINITY,
    maxBytes = Number.POSITIVE_INFINITY,
  ): number {
    const position = Atomics.load(this.#consumer, 0);
    const available = Number(Atomics.load(this.#producer, 0) - position);
    const start = Number(position & BigInt(this.size - 1));
    let records = 0;
    let done = 0;
    try {
      while (done < available && records < maxRecords) {
        const at = (start + done) % this.size;
        const header = Atomics.load(this.#words, at >>> 2);
        if (header & BUSY) break;
        const length = header & LENGTH_MASK;
        const space = spaceOf(length);
        if (records > 0 && done + space > maxBytes) break;
        done += space;
        if (header & DISCARDED) continue;
        records++;
        visit(this.#bytes, at + HEADER_SIZE, at + HEADER_SIZE + length);
      }
    } finally {
      if (done > 0) Atomics.store(this.#consumer, 0, position + BigInt(done));
    }
    return records;
  }

  /** Unmaps the ring; what was not read stays in it. */
  close(): void {
    for (const region of this.#regions) region.unmap();
  }
}
