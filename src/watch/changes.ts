import { GrowingColumn } from "./growing-column.js";

/**
 * Changes as columns, each in order. A key stands twice only in what was traced, and there
 * in one of the columns. Plain data, in memory of its own, which small columns share. Values
 * are of the map's whole stride.
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
  /** One byte for each: what is known of the time before, a {@link Before}. */
  readonly before: Buffer;
}

/** What is known of an element before a change: of what had been told till then. */
export const Before = {
  /** Nothing: the service wrote it, and it was not compared with anything. */
  UNKNOWN: 0,
  /** Its value, in `previous`. */
  VALUE: 1,
  /** That it was not there. */
  ABSENT: 2,
} as const;

/** A place in a column of values. */
export interface ValueAt {
  readonly values: Buffer;
  readonly at: number;
}

/** What is known of an element before a change: its value, that it was absent, or nothing. */
export type Previous = ValueAt | "absent" | undefined;

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
  put(keys: Buffer, keyAt: number, value: ValueAt, previous: Previous, writer?: Writer): void {
    if (writer) this.#putters.push(writer);
    this.#puts.add(keys, keyAt, this.#keySize, this.#stride, previous);
    this.#values.append(value.values, value.at, this.#stride);
  }

  /** An element that was deleted. */
  delete(keys: Buffer, keyAt: number, previous: Previous, writer?: Writer): void {
    if (writer) this.#deleters.push(writer);
    this.#deletes.add(keys, keyAt, this.#keySize, this.#stride, previous);
  }

  /** The same without the puts of some keys, and without writers; this log must not be used after. */
  withoutPuts(isLeftOut: (keys: Buffer, keyAt: number) => boolean): ChangeLog {
    const rest = new ChangeLog(this.#keySize, this.#stride);
    const { puts, deletes } = this.take();
    for (let index = 0; index < puts.count; index++) {
      const value = { values: puts.values, at: index * this.#stride };
      const keyAt = index * this.#keySize;
      if (isLeftOut(puts.keys, keyAt)) continue;
      rest.put(puts.keys, keyAt, value, previousOf(puts, index, this.#stride));
    }
    for (let index = 0; index < deletes.count; index++) {
      const previous = previousOf(deletes, index, this.#stride);
      rest.delete(deletes.keys, index * this.#keySize, previous);
    }
    return rest;
  }

  /** What was collected; the log must not be used after. */
  take(): Changes {
    const take = taker(this.#puts.length + this.#deletes.length + this.#values.length);
    return {
      puts: { ...this.#puts.take(take), values: take(this.#values) },
      deletes: this.#deletes.take(take),
      writers: [...this.#putters, ...this.#deleters],
    };
  }
}

/** Columns that have more bytes than this together are not copied to share memory. */
const MOST_SHARED_BYTES = 1 << 14;

/**
 * How the columns of a log are taken, which have so many bytes together: small ones into one
 * memory. Most changes are of one element, and memory of its own costs each column some
 * hundred bytes beside it, most of them in malloc.
 */
function taker(bytes: number): (column: GrowingColumn) => Buffer {
  if (bytes > MOST_SHARED_BYTES) return (column) => column.take();
  const shared = Buffer.allocUnsafeSlow(bytes);
  let end = 0;
  return (column) => {
    const start = end;
    end += column.length;
    column.copyTo(shared, start);
    return shared.subarray(start, end);
  };
}

/** What is known of an element before a change. */
export function previousOf(columns: ChangeColumns, index: number, stride: number): Previous {
  const { before, previous } = columns;
  if (before[index] === Before.ABSENT) return "absent";
  if (before[index] === Before.UNKNOWN) return undefined;
  return { values: previous, at: index * stride };
}

class Side {
  count = 0;
  readonly #keys = new GrowingColumn();
  readonly #previous = new GrowingColumn();
  readonly #before = new GrowingColumn();

  add(keys: Buffer, keyAt: number, keySize: number, stride: number, previous: Previous): void {
    this.count++;
    this.#keys.append(keys, keyAt, keySize);
    if (typeof previous === "object") {
      this.#previous.append(previous.values, previous.at, stride);
      this.#before.appendByte(Before.VALUE);
    } else {
      this.#previous.appendZeros(stride);
      this.#before.appendByte(previous ? Before.ABSENT : Before.UNKNOWN);
    }
  }

  /** Bytes of its columns. */
  get length(): number {
    return this.#keys.length + this.#previous.length + this.#before.length;
  }

  take(take: (column: GrowingColumn) => Buffer): ChangeColumns {
    return {
      count: this.count,
      keys: take(this.#keys),
      previous: take(this.#previous),
      before: take(this.#before),
    };
  }
}

/** What the objects around the bytes of one {@link Changes} take, about: 1.4 KB as resident memory. */
const OBJECT_BYTES = 1536;

/** About what a writer takes in memory. */
const WRITER_BYTES = 100;

/** Bytes of memory that changes take. */
export function changesBytes(changes: Changes): number {
  const fixed = OBJECT_BYTES + changes.writers.length * WRITER_BYTES;
  return changesBuffers(changes).reduce((sum, { byteLength }) => sum + byteLength, fixed);
}

/** The memory that changes lie in, to be handed to another thread. */
export function changesBuffers({ puts, deletes }: Changes): ArrayBuffer[] {
  const buffers = [
    puts.keys,
    puts.values,
    puts.previous,
    puts.before,
    deletes.keys,
    deletes.previous,
    deletes.before,
  ];
  return [...new Set(buffers.map(memoryOf))];
}

/** The memory that a column lies in. */
export function memoryOf(column: Buffer): ArrayBuffer {
  return column.buffer as ArrayBuffer;
}

const NO_WRITERS: readonly Writer[] = [];
const NO_BYTES = Buffer.alloc(0);

/**
 * Changes that came from another thread, where buffers arrive as plain arrays. They are kept
 * in a history, so what is empty is shared.
 */
export function receivedChanges({ puts, deletes, writers }: Changes): Changes {
  return {
    writers: writers.length > 0 ? writers : NO_WRITERS,
    puts: {
      count: puts.count,
      keys: receivedColumn(puts.keys),
      previous: receivedColumn(puts.previous),
      before: receivedColumn(puts.before),
      values: receivedColumn(puts.values),
    },
    deletes: {
      count: deletes.count,
      keys: receivedColumn(deletes.keys),
      previous: receivedColumn(deletes.previous),
      before: receivedColumn(deletes.before),
    },
  };
}

function receivedColumn(bytes: Uint8Array): Buffer {
  return bytes.byteLength > 0 ? asBuffer(bytes) : NO_BYTES;
}

/** A Buffer over the memory of an array. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
