import { GrowingColumn } from "./growing-column.js";

/**
 * Changes as columns; no key stands twice. Plain data, in buffers of its own. Values
 * are of the map's whole stride.
 */
export interface Changes {
  readonly puts: ChangeColumns & { readonly values: Buffer };
  readonly deletes: ChangeColumns;
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

  constructor(keySize: number, stride: number) {
    this.#keySize = keySize;
    this.#stride = stride;
  }

  /** Changes collected so far. */
  get size(): number {
    return this.#puts.count + this.#deletes.count;
  }

  /** An element that was added or changed. */
  put(keys: Buffer, keyAt: number, value: ValueAt, previous?: ValueAt): void {
    this.#puts.add(keys, keyAt, this.#keySize, this.#stride, previous);
    this.#values.append(value.values, value.at, this.#stride);
  }

  /** An element that was deleted. */
  delete(keys: Buffer, keyAt: number, previous?: ValueAt): void {
    this.#deletes.add(keys, keyAt, this.#keySize, this.#stride, previous);
  }

  /** What was collected; the log must not be used after. */
  take(): Changes {
    return {
      puts: { ...this.#puts.take(), values: this.#values.bytes },
      deletes: this.#deletes.take(),
    };
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

/** Bytes that changes take. */
export function changesBytes({ puts, deletes }: Changes): number {
  return (
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
export function receivedChanges({ puts, deletes }: Changes): Changes {
  return {
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
