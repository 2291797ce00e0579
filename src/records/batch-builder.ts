import { BytesCopier } from "./bytes-copier.js";
import type { BatchRoom, RecordBatch, RecordLoss } from "./record-batch.js";
import type { RecordReport } from "./record-protocol.js";

/** Bytes of a ring that become one batch. Larger ones are no faster, and their loss is coarser. */
export const BATCH_BYTES = 1 << 16;

/**
 * Puts records into batches, straight from the ring into the memory that is sent: one
 * copy. A batch is as large as its records, within what alignment and headers take in
 * the ring.
 */
export class BatchBuilder {
  readonly #room: BatchRoom;
  readonly #withCpus: boolean;
  readonly #maxRecordBytes: number;
  readonly #dataStart: number;
  readonly #copier = new BytesCopier();
  #sizes = new Uint32Array(BATCH_BYTES / 8);
  #cpus = new Uint32Array(0);
  #timesNs = new BigUint64Array(0);
  readonly #reports: RecordReport[] = [];
  #memory: Uint8Array | undefined;
  #space = 0;
  #end: number;
  #count = 0;
  #sequence = 0;

  /** @param withCpus whether records come with their CPU and time */
  constructor(room: BatchRoom, maxRecordBytes: number, withCpus: boolean) {
    this.#room = room;
    this.#withCpus = withCpus;
    this.#maxRecordBytes = maxRecordBytes;
    // The kernel aligns records to 8 bytes: aligned here, they are copied by words.
    this.#dataStart = (room.before + 7) & ~7;
    this.#end = this.#dataStart;
    if (withCpus) this.#growColumns();
  }

  /** Prepares for records that take so many bytes in their ring, headers included. */
  expect(space: number): void {
    this.#space = space;
  }

  /** Adds bytes `start` to `end` of `from`. */
  add(from: Buffer, start: number, end: number, cpu = 0, timeNs = 0n): void {
    const length = end - start;
    if (length > this.#maxRecordBytes) {
      this.lose({ reason: "too_large", count: 1 });
      this.#sequence++;
      return;
    }
    if (this.#end - this.#dataStart + length > BATCH_BYTES) this.#finishBatch();
    const memory = this.#memoryFor(length);
    const index = this.#count++;
    if (index === this.#sizes.length) this.#growColumns();
    this.#sizes[index] = length;
    if (this.#withCpus) {
      this.#cpus[index] = cpu;
      this.#timesNs[index] = timeNs;
    }
    this.#copier.copy(from, start, length, memory, this.#end);
    this.#end += length;
  }

  /** Notes that records are missing here. */
  lose(loss: RecordLoss): void {
    this.#finishBatch();
    this.#reports.push({ type: "lost", loss });
  }

  /** Takes what was added, in order. */
  take(): RecordReport[] {
    this.#finishBatch();
    return this.#reports.splice(0);
  }

  #memoryFor(length: number): Uint8Array {
    const tail = this.#tailOf(this.#count + 1);
    const needed = this.#end + length + tail;
    if (this.#memory && needed <= this.#memory.length) return this.#memory;
    const expected = this.#dataStart + Math.min(this.#space, BATCH_BYTES) + this.#tailOf(0);
    // More than was expected comes only where a record alone is larger than a batch, or
    // others were written meanwhile.
    const grown = (this.#memory?.length ?? 0) * 2;
    const memory = new Uint8Array(new ArrayBuffer(Math.max(needed, expected, grown)));
    if (this.#memory) memory.set(this.#memory.subarray(0, this.#end));
    this.#memory = memory;
    return memory;
  }

  #tailOf(count: number): number {
    const { perRecord, perTimedRecord, after } = this.#room;
    return count * (this.#withCpus ? perTimedRecord : perRecord) + after;
  }

  #growColumns(): void {
    const grown = new Uint32Array(Math.max(this.#sizes.length, this.#count * 2));
    grown.set(this.#sizes);
    this.#sizes = grown;
    if (!this.#withCpus) return;
    const cpus = new Uint32Array(grown.length);
    cpus.set(this.#cpus);
    this.#cpus = cpus;
    const timesNs = new BigUint64Array(grown.length);
    timesNs.set(this.#timesNs);
    this.#timesNs = timesNs;
  }

  #finishBatch(): void {
    const count = this.#count;
    if (count === 0 || !this.#memory) return;
    const batch: RecordBatch = {
      firstSequence: this.#sequence,
      count,
      sizes: this.#sizes.slice(0, count),
      dataStart: this.#dataStart,
      dataLength: this.#end - this.#dataStart,
      buffer: this.#trimmed(this.#memory, this.#end + this.#tailOf(count)),
      ...(this.#withCpus && {
        cpus: this.#cpus.slice(0, count),
        timesNs: this.#timesNs.slice(0, count),
      }),
    };
    this.#reports.push({ type: "batch", batch });
    this.#sequence += count;
    this.#count = 0;
    this.#end = this.#dataStart;
    this.#memory = undefined;
  }

  /** Memory that is mostly empty would be kept for as long as a subscriber is behind. */
  #trimmed(memory: Uint8Array, used: number): Uint8Array {
    return used < memory.length / 2 ? memory.slice(0, used) : memory;
  }
}
