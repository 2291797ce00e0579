import { type EpollWaiter, type FdWatch, KernelError, RingBufferReader } from "../kernel/index.js";
import { MapError } from "../maps/index.js";
import { BATCH_BYTES, type BatchBuilder } from "./batch-builder.js";
import type { RecordSource } from "./record-source.js";

/** The records of a ring buffer. */
export class RingSource implements RecordSource {
  /** Programs may write without a wake-up (BPF_RB_NO_WAKEUP). */
  readonly lookMs = 50;
  readonly #fd: number;
  readonly #reader: RingBufferReader;
  #watch: FdWatch | undefined;

  private constructor(fd: number, reader: RingBufferReader) {
    this.#fd = fd;
    this.#reader = reader;
  }

  /** Throws a KernelError, or a MapError for a ring that has no readers. */
  static open(fd: number, label: string): RingSource {
    try {
      return new RingSource(fd, RingBufferReader.open(fd));
    } catch (error) {
      if (!(error instanceof KernelError) || error.errno !== "EOPNOTSUPP") throw error;
      throw new MapError(
        "OPERATION_NOT_SUPPORTED",
        `${label} cannot be read: in overwrite mode (BPF_F_RB_OVERWRITE) its programs wait for no reader`,
        { metadata: { map: label, operation: "read records" }, cause: error },
      );
    }
  }

  get isEmpty(): boolean {
    return this.#reader.isEmpty;
  }

  /** Throws away what the ring holds. */
  skip(): void {
    this.#reader.read(() => {});
  }

  take(builder: BatchBuilder): void {
    this.#take(builder, BATCH_BYTES);
  }

  takeAll(builder: BatchBuilder): void {
    this.#take(builder, this.#reader.available);
  }

  look(builder: BatchBuilder): void {
    this.take(builder);
  }

  watch(waiter: EpollWaiter, onReady: () => void): void {
    this.#watch = waiter.watch(this.#fd, "readable", onReady);
  }

  rearm(): boolean {
    // The kernel calls a ring readable whose next record is reserved and not written.
    if (this.#reader.isEmpty && this.#reader.available > 0) return false;
    this.#watch?.rearm();
    return true;
  }

  close(): void {
    this.#watch?.end();
    this.#reader.close();
  }

  #take(builder: BatchBuilder, maxBytes: number): void {
    builder.expect(this.#reader.available);
    this.#reader.read(
      (ring, start, end) => builder.add(ring, start, end),
      Number.POSITIVE_INFINITY,
      maxBytes,
    );
  }
}
