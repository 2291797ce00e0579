import { GrowingColumn } from "./growing-column.js";

/**
 * Changes as columns, in order. A key stands twice only in what was traced, where all are
 * puts or all are deletes. Plain data, in buffers of its own. Values are of the map's whole
 * stride.
 */
export interface Changes {
  readonly puts: ChangeColumns & { readonly values: Buffer };
  readonly deletes: ChangeColumns;
  /** Who did it, one for each put and then each delete; empty where that is not known. */
  readonly writers: readonly Writer[];
}

/** Who changed an element. */
export interface Writer {
  readonly pid: number;
  readonly comm: string;
  readonly kind: "syscall" | "program";
  /** The kernel's monotonic clock, in nanoseconds. */
  readonly monotonicNs: bigint;
}

/** The keys of changes of one kind, and the values before. */
export interface ChangeColumns {
  readonly count: number;
  readonly keys: Buffer;
  /** Zero where the value before is not known, or there was none. */
  readonly previous: Buffer;
  /** One byte for each: 1 where there was a value before, and it is known. */
  readonly hasPrevious: Buffer;
}

/** A place in a column of values. */
export interface ValueAt {
  readonly values: Buffer;
  readonly at: number;
}

/** Collects changes. */
export class ChangeLog {
  readonly #keySize: number;
  readonly #stride: number;
  readonly #puts = new Side();
  readonly #deletes = new Side();
  readonly #values = new GrowingColumn();
  readonly #putters: Writer[] = [];
  readonly #deleters: Writer[] = [];

  constructor(keySize: number, stride: number) {
    this.#keySize = keySize;
    this.#stride = stride;
  }

  /** Changes collected so far. */
  get size(): number {
    return this.#puts.count + this.#deletes.count;
  }

  /** An element that was added or changed. */
  put(keys: Buffer, keyAt: number, value: ValueAt, previous?: ValueAt, writer?: Writer): void {
    if (writer) this.#putters.push(writer);
    this.#puts.add(keys, keyAt, this.#keySize, this.#stride, previous);
    this.#values.append(value.values, value.at, this.#stride);
  }

  /** An element that was deleted. */
  delete(keys: Buffer, keyAt: number, previous?: ValueAt, writer?: Writer): void {
    if (writer) this.#deleters.push(writer);
    this.#deletes.add(keys, keyAt, this.#keySize, this.#stride, previous);
  }

  /** What was collected; the log must not be used after. */
  take(): Changes {
    return {
      puts: { ...this.#puts.take(), values: this.#values.bytes },
      deletes: this.#deletes.take(),
      writers: [...this.#putters, ...this.#deleters],
    };
  }

  /** The same changes without those of some keys. */
  without(isDropped: (keys: Buffer, keyAt: number) => boolean): ChangeLog {
    const { puts, deletes } = this.take();
    const kept = new ChangeLog(this.#keySize, this.#stride);
    const placed = (values: Buffer, index: number) => ({ values, at: index * this.#stride });
    const previousOf = (side: ChangeColumns, index: number) =>
      side.hasPrevious[index] === 1 ? placed(side.previous, index) : undefined;
    for (let index = 0; index < puts.count; index++) {
      const keyAt = index * this.#keySize;
      if (isDropped(puts.keys, keyAt)) continue;
      kept.put(puts.keys, keyAt, placed(puts.values, index), previousOf(puts, index));
    }
    for (let index = 0; index < deletes.count; index++) {
      const keyAt = index * this.#keySize;
      if (isDropped(deletes.keys, keyAt)) continue;
      kept.delete(deletes.keys, keyAt, previousOf(deletes, index));
    }
    return kept;
  }
}

class Side {
  count = 0;
  readonly #keys = new GrowingColumn();
  readonly #previous = new GrowingColumn();
  readonly #hasPrevious = new GrowingColumn();

  add(
    keys: Buffer,
    keyAt: number,
    keySize: number,
    stride: number,
    previous: ValueAt | undefined,
  ): void {
    this.count++;
    this.#keys.append(keys, keyAt, keySize);
    if (previous) this.#previous.append(previous.values, previous.at, stride);
    else this.#previous.appendZeros(stride);
    this.#hasPrevious.append(previous ? YES : NO, 0, 1);
  }

  take(): ChangeColumns {
    return {
      count: this.count,
      keys: this.#keys.bytes,
      previous: this.#previous.bytes,
      hasPrevious: this.#hasPrevious.bytes,
    };
  }
}

const YES = Buffer.of(1);
const NO = Buffer.of(0);

/** About what a writer takes in memory. */
const WRITER_BYTES = 100;

/** Bytes that changes take. */
export function changesBytes({ puts, deletes, writers }: Changes): number {
  return (
    writers.length * WRITER_BYTES +
    puts.keys.length +
    puts.values.length +
    puts.previous.length +
    deletes.keys.length +
    deletes.previous.length
  );
}

/** The memory that changes lie in, to be handed to another thread. */
export function changesBuffers({ puts, deletes }: Changes): ArrayBuffer[] {
  const buffers = [
    puts.keys,
    puts.values,
    puts.previous,
    puts.hasPrevious,
    deletes.keys,
    deletes.previous,
    deletes.hasPrevious,
  ];
  return buffers.map(memoryOf);
}

/** The memory of a column, which has its own. */
export function memoryOf(column: Buffer): ArrayBuffer {
  return column.buffer as ArrayBuffer;
}

/** Changes that came from another thread, where buffers arrive as plain arrays. */
export function receivedChanges({ puts, deletes, writers }: Changes): Changes {
  return {
    writers,
    puts: { ...receivedColumns(puts), values: asBuffer(puts.values) },
    deletes: receivedColumns(deletes),
  };
}

function receivedColumns(columns: ChangeColumns): ChangeColumns {
  return {
    count: columns.count,
    keys: asBuffer(columns.keys),
    previous: asBuffer(columns.previous),
    hasPrevious: asBuffer(columns.hasPrevious),
  };
}

/** A Buffer over the memory of an array. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
