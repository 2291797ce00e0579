import { KernelError } from "../errno.js";
import { pageSize } from "../host.js";
import { mapInfo } from "../map-info.js";
import { MappedRegion } from "../mapped-region.js";
import { BUSY, DISCARDED, HEADER_SIZE, spaceOf } from "./ring-record.js";

/** BPF_MAP_TYPE_USER_RINGBUF. */
const USER_RINGBUF = 31;

/** DYNPTR_MAX_SIZE of kernel/bpf/helpers.c: a larger record would block the ring for ever. */
const LONGEST_RECORD = (1 << 24) - 1;

/** Room for one record, until it is submitted or discarded. */
export interface Reservation {
  /** The record's bytes, to be written. They hold what was there before. */
  readonly bytes: Buffer;
  /** Gives the record to the program that drains the ring. */
  submit(): void;
  /** Gives the room up; the program does not see the record. */
  discard(): void;
}

/**
 * Puts records into a user ring buffer map, from which a program takes them with the
 * helper `user_ringbuf_drain`. There must be one writer for each ring. Linux 6.1.
 *
 * Layout as for `RingBufferReader`, with the rights the other way round.
 */
export class UserRingBufferWriter {
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

  /** Maps the ring of a map's fd; the fd may be closed after. Throws KernelError: EINVAL for others. */
  static open(fd: number): UserRingBufferWriter {
    const { type, maxEntries: size } = mapInfo(fd);
    if (type !== USER_RINGBUF) throw new KernelError("EINVAL", "mmap");
    const page = pageSize();
    const consumer = MappedRegion.map(fd, { length: page });
    try {
      const mapping = { length: page + 2 * size, offset: page, writable: true };
      return new UserRingBufferWriter(size, consumer, MappedRegion.map(fd, mapping));
    } catch (error) {
      consumer.unmap();
      throw error;
    }
  }

  /** Bytes of the longest record that this ring can ever take. */
  get longestRecord(): number {
    return Math.min(this.size - HEADER_SIZE, LONGEST_RECORD);
  }

  /** Bytes that the program has not taken yet, headers included. */
  get pending(): number {
    return Number(Atomics.load(this.#producer, 0) - Atomics.load(this.#consumer, 0));
  }

  /**
   * Room for a record of this many bytes, behind all others; undefined while the ring
   * is full. Throws RangeError above {@link longestRecord}.
   */
  reserve(length: number): Reservation | undefined {
    if (length > this.longestRecord) {
      throw new RangeError(
        `a record of ${length} bytes does not fit: the ring takes at most ${this.longestRecord}`,
      );
    }
    const space = spaceOf(length);
    if (this.pending + space > this.size) return undefined;
    const position = Atomics.load(this.#producer, 0);
    const at = Number(position & BigInt(this.size - 1));
    const header = at >>> 2;
    Atomics.store(this.#words, header, length | BUSY);
    // The second word is the kernel's page offset, which means nothing here.
    this.#words[header + 1] = 0;
    Atomics.store(this.#producer, 0, position + BigInt(space));
    return {
      bytes: this.#bytes.subarray(at + HEADER_SIZE, at + HEADER_SIZE + length),
      submit: () => void Atomics.store(this.#words, header, length),
      discard: () => void Atomics.store(this.#words, header, length | DISCARDED),
    };
  }

  /** Writes one record; false while the ring is full. Throws RangeError as {@link reserve}. */
  write(record: Uint8Array): boolean {
    const reservation = this.reserve(record.length);
    if (!reservation) return false;
    reservation.bytes.set(record);
    reservation.submit();
    return true;
  }

  /** Unmaps the ring; what is in it stays. */
  close(): void {
    for (const region of this.#regions) region.unmap();
  }
}
