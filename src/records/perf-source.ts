import {
  ElementCalls,
  type EpollWaiter,
  type Errno,
  type FdWatch,
  KernelError,
  PerfEventBuffer,
} from "../kernel/index.js";
import { MapError } from "../maps/index.js";
import { BATCH_BYTES, type BatchBuilder } from "./batch-builder.js";
import type { PerfSlot } from "./record-protocol.js";
import type { RecordSource } from "./record-source.js";

/** What perf_event_open and mmap answer where perf_event_paranoid or a limit stands in the way. */
const DENIED: ReadonlySet<Errno> = new Set(["EACCES", "EPERM"]);

/** How a perf event array is read. */
export interface PerfReading {
  readonly slots: readonly PerfSlot[];
  readonly pages: number;
  readonly staysInMap: boolean;
}

/** The records of a perf event array: one event of ours in each slot, while it is read. */
export class PerfSource implements RecordSource {
  /** Losses of samples that no empty ring could take wake nobody. */
  readonly lookMs = 1000;
  readonly #calls: ElementCalls;
  readonly #staysInMap: boolean;
  readonly #events: PerfEvent[] = [];

  private constructor(fd: number, staysInMap: boolean) {
    this.#staysInMap = staysInMap;
    this.#calls = new ElementCalls(fd, 4, 4);
  }

  /** Puts events into the map. Throws a KernelError, with none of them left there. */
  static open(fd: number, reading: PerfReading): PerfSource {
    const source = new PerfSource(fd, reading.staysInMap);
    try {
      for (const slot of reading.slots) source.#place(slot, reading.pages);
      return source;
    } catch (error) {
      source.close();
      throw error;
    }
  }

  get isEmpty(): boolean {
    return this.#events.every((event) => event.isEmpty);
  }

  take(builder: BatchBuilder): void {
    const waiting = this.#events.filter((event) => !event.isEmpty);
    builder.expect(sum(waiting.map(({ available }) => available)));
    for (const event of waiting) event.take(builder, BATCH_BYTES / waiting.length);
  }

  takeAll(builder: BatchBuilder): void {
    for (const event of this.#events) {
      builder.expect(event.available);
      event.take(builder, event.available);
    }
  }

  look(builder: BatchBuilder): void {
    this.take(builder);
    for (const event of this.#events) event.tellLost(builder);
  }

  watch(waiter: EpollWaiter, onReady: () => void): void {
    for (const event of this.#events) event.watch(waiter, onReady);
  }

  rearm(): boolean {
    for (const event of this.#events) event.rearm();
    return true;
  }

  close(): void {
    for (const event of this.#events) {
      // Closing the fd takes out what was put in by it and nothing else, so that another
      // reader's event stays. Only where that cannot be, the slot is emptied.
      if (this.#staysInMap) this.#delete(event.index);
      event.close();
    }
    this.#calls.release();
  }

  #place({ cpu, index }: PerfSlot, pages: number): void {
    const buffer = openBuffer(cpu, pages);
    this.#calls.key.writeUInt32LE(index);
    this.#calls.value.writeUInt32LE(buffer.fd);
    const errno = this.#calls.update();
    if (errno !== undefined) {
      buffer.close();
      throw new KernelError(errno, "BPF_MAP_UPDATE_ELEM");
    }
    this.#events.push(new PerfEvent(buffer, index));
  }

  #delete(index: number): void {
    this.#calls.key.writeUInt32LE(index);
    this.#calls.delete();
  }
}

function openBuffer(cpu: number, pages: number): PerfEventBuffer {
  try {
    return PerfEventBuffer.open(cpu, pages);
  } catch (error) {
    if (!(error instanceof KernelError) || !DENIED.has(error.errno)) throw error;
    throw new MapError(
      "KERNEL_DENIED",
      `the kernel refused a perf event on CPU ${cpu}: the daemon needs CAP_PERFMON or CAP_SYS_ADMIN`,
      { metadata: { operation: "read records", errno: error.errno }, cause: error },
    );
  }
}

/** One event, and what of its losses was told. */
class PerfEvent {
  readonly index: number;
  readonly #buffer: PerfEventBuffer;
  #watch: FdWatch | undefined;
  #isArmed = true;
  /** Losses that the ring has told of, and those that were passed on. */
  #lostInRing = 0;
  #lostTold = 0;

  constructor(buffer: PerfEventBuffer, index: number) {
    this.#buffer = buffer;
    this.index = index;
  }

  get available(): number {
    return this.#buffer.available;
  }

  get isEmpty(): boolean {
    return this.#buffer.available === 0;
  }

  take(builder: BatchBuilder, maxBytes: number): void {
    const { cpu } = this.#buffer;
    this.#buffer.read(
      {
        sample: (ring, start, end, timeNs) => builder.add(ring, start, end, cpu, timeNs),
        lost: (count) => {
          this.#lostInRing += count;
          this.#tellLost(builder, this.#lostInRing);
        },
      },
      Number.POSITIVE_INFINITY,
      maxBytes,
    );
    this.tellLost(builder);
  }

  /**
   * Tells of what was lost since the last sample. The ring does so only in front of its
   * next sample, which may never come; the event knows it at once.
   */
  tellLost(builder: BatchBuilder): void {
    if (!this.isEmpty) return;
    const lost = this.#buffer.lostSamples();
    // It has its place here if nothing was written meanwhile.
    if (lost !== undefined && this.isEmpty) this.#tellLost(builder, lost);
  }

  watch(waiter: EpollWaiter, onReady: () => void): void {
    this.#watch = this.#buffer.watch(waiter, () => {
      this.#isArmed = false;
      onReady();
    });
  }

  rearm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#watch?.rearm();
  }

  close(): void {
    this.#watch?.end();
    this.#buffer.close();
  }

  #tellLost(builder: BatchBuilder, lost: number): void {
    if (lost <= this.#lostTold) return;
    builder.lose({ reason: "ring_full", count: lost - this.#lostTold, cpu: this.#buffer.cpu });
    this.#lostTold = lost;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
