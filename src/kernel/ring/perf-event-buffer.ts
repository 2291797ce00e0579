import { readSync } from "node:fs";
import { withArena } from "../arena.js";
import type { EpollWaiter, FdWatch } from "../epoll-waiter.js";
import { errnoName, KernelError } from "../errno.js";
import { closeFd } from "../fd.js";
import { pageSize } from "../host.js";
import { perfEventOpen } from "../libc.js";
import { MappedRegion } from "../mapped-region.js";

/*
 * include/uapi/linux/perf_event.h. A program's `perf_event_output` writes samples into
 * the buffer of the event in the map's slot for the CPU that it runs on.
 */
const ATTR_SIZE = 112;
const PERF_TYPE_SOFTWARE = 1;
const PERF_COUNT_SW_BPF_OUTPUT = 10;
const PERF_SAMPLE_TIME = 1 << 2;
const PERF_SAMPLE_RAW = 1 << 10;
const PERF_FORMAT_LOST = 1 << 4;
const USE_CLOCKID = 1 << 25;
const CLOCK_MONOTONIC = 1;
const PERF_FLAG_FD_CLOEXEC = 8;

const DATA_HEAD = 1024 / 8;
const DATA_TAIL = 1032 / 8;

const RECORD_LOST = 2;
const RECORD_SAMPLE = 9;
const RECORD_HEADER = 8;
const SAMPLE_TIME = RECORD_HEADER;
const SAMPLE_LENGTH = SAMPLE_TIME + 8;
const SAMPLE_DATA = SAMPLE_LENGTH + 4;
const LOST_COUNT = RECORD_HEADER + 8;

/** Sees what lies in the buffer, in order. */
export interface PerfVisitor {
  /**
   * Bytes `start` to `end` of `ring`, to be copied before the read ends, and when they
   * were written, in nanoseconds of CLOCK_MONOTONIC, as programs' `ktime_get_ns`. The
   * kernel pads what a program writes: 4 bytes more than a multiple of 8.
   */
  sample(ring: Buffer, start: number, end: number, timeNs: bigint): void;
  /** So many samples were lost here, because the buffer was full. */
  lost(count: number): void;
}

/** The buffer of one CPU for a perf event array map. */
export class PerfEventBuffer {
  readonly cpu: number;
  /** The event, to be put into the map's slot; lives until `close`. */
  readonly fd: number;
  /** Bytes of the ring. */
  readonly size: number;
  readonly #region: MappedRegion;
  readonly #positions: BigInt64Array;
  readonly #ring: Buffer;
  readonly #countsLost: boolean;

  private constructor(cpu: number, fd: number, countsLost: boolean, region: MappedRegion) {
    const data = pageSize();
    this.cpu = cpu;
    this.fd = fd;
    this.#countsLost = countsLost;
    this.#region = region;
    this.#positions = new BigInt64Array(region.memory, 0, data / 8);
    this.#ring = Buffer.from(region.memory, data);
    this.size = this.#ring.length;
  }

  /**
   * @param cpu one that runs: ENODEV otherwise.
   * @param pages of the ring, a power of two.
   * @param wakeupSamples samples after which a waiter is woken.
   */
  static open(cpu: number, pages: number, wakeupSamples = 1): PerfEventBuffer {
    const { fd, countsLost } = openEvent(cpu, wakeupSamples);
    try {
      const length = (1 + pages) * pageSize();
      const region = MappedRegion.map(fd, { length, writable: true });
      return new PerfEventBuffer(cpu, fd, countsLost, region);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  /** Bytes that wait in the buffer. */
  get available(): number {
    return Number(Atomics.load(this.#positions, DATA_HEAD) - this.#tail);
  }

  /**
   * Visits what is there, at most `maxRecords`, and of more than one at most what takes
   * `maxBytes` of the ring; then gives the room back to the kernel. Answers how many
   * samples and losses it visited. Losses are told when the kernel next had room for a
   * sample; {@link lostSamples} knows them at once.
   */
  read(
    visitor: PerfVisitor,
    maxRecords = Number.POSITIVE_INFINITY,
    maxBytes = Number.POSITIVE_INFINITY,
  ): number {
    const available = this.available;
    const start = Number(this.#tail & BigInt(this.size - 1));
    let records = 0;
    let done = 0;
    try {
      while (done < available && records < maxRecords) {
        const at = (start + done) & (this.size - 1);
        const type = this.#ring.readUInt32LE(at);
        const length = this.#ring.readUInt16LE(at + 6);
        if (records > 0 && done + length > maxBytes) break;
        done += length;
        records += this.#visit(visitor, type, at, length);
      }
    } finally {
      Atomics.store(this.#positions, DATA_TAIL, this.#tail + BigInt(done));
    }
    return records;
  }

  /** Calls back once when there is something to read, and again after each re-arming. */
  watch(waiter: EpollWaiter, onReady: () => void): FdWatch {
    return waiter.watch(this.fd, "readable", onReady, () => this.available > 0);
  }

  /** Samples lost since the beginning; undefined before Linux 6.0. */
  lostSamples(): number | undefined {
    if (!this.#countsLost) return undefined;
    const counts = Buffer.alloc(16);
    readSync(this.fd, counts);
    return Number(counts.readBigUInt64LE(8));
  }

  /** Ends the event, which also empties its slot in the map, and unmaps the buffer. */
  close(): void {
    this.#region.unmap();
    closeFd(this.fd);
  }

  get #tail(): bigint {
    return Atomics.load(this.#positions, DATA_TAIL);
  }

  #visit(visitor: PerfVisitor, type: number, at: number, length: number): number {
    if (type !== RECORD_SAMPLE && type !== RECORD_LOST) return 0;
    const [bytes, start] = this.#whole(at, length);
    if (type === RECORD_LOST) {
      visitor.lost(Number(bytes.readBigUInt64LE(start + LOST_COUNT)));
    } else {
      const data = start + SAMPLE_DATA;
      const end = data + bytes.readUInt32LE(start + SAMPLE_LENGTH);
      visitor.sample(bytes, data, end, bytes.readBigUInt64LE(start + SAMPLE_TIME));
    }
    return 1;
  }

  /** A record in one piece: the ring is mapped once, so one at its end is broken. */
  #whole(at: number, length: number): [bytes: Buffer, start: number] {
    const inFirst = this.size - at;
    if (length <= inFirst) return [this.#ring, at];
    const parts = [this.#ring.subarray(at), this.#ring.subarray(0, length - inFirst)];
    return [Buffer.concat(parts), 0];
  }
}

function openEvent(cpu: number, wakeupSamples: number): { fd: number; countsLost: boolean } {
  const counting = tryOpenEvent(cpu, wakeupSamples, PERF_FORMAT_LOST);
  if (counting >= 0) return { fd: counting, countsLost: true };
  const result = tryOpenEvent(cpu, wakeupSamples, 0);
  if (result < 0) throw new KernelError(errnoName(-result), "perf_event_open");
  return { fd: result, countsLost: false };
}

function tryOpenEvent(cpu: number, wakeupSamples: number, readFormat: number): number {
  return withArena(ATTR_SIZE, (attr) => {
    attr.setU32(0, PERF_TYPE_SOFTWARE);
    attr.setU32(4, ATTR_SIZE);
    attr.setU64(8, PERF_COUNT_SW_BPF_OUTPUT);
    attr.setU64(16, 1);
    attr.setU64(24, PERF_SAMPLE_RAW | PERF_SAMPLE_TIME);
    attr.setU64(32, readFormat);
    attr.setU64(40, USE_CLOCKID);
    attr.setU32(48, wakeupSamples);
    attr.setU32(92, CLOCK_MONOTONIC);
    return perfEventOpen(attr.address, cpu, PERF_FLAG_FD_CLOEXEC);
  });
}
