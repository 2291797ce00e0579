import { Arena } from "./arena.js";
import { type Errno, errnoName } from "./errno.js";
import { addressOf, bpf } from "./libc.js";
import { BpfCommand } from "./numbers.js";

const ATTR_SIZE = 56;
const OUT_FIELD = 8;
const KEYS_FIELD = 16;
const VALUES_FIELD = 24;
const COUNT_FIELD = 32;
const FD_FIELD = 36;
const CURSORS = 64;

/** Where columns lie in memory, in bytes, and how many elements they have room for. */
export interface ColumnPlaces {
  readonly capacity: number;
  readonly keysAt: number;
  readonly valuesAt: number;
}

/** Columns that the kernel reads or fills. */
interface Columns {
  readonly capacity: number;
  readonly keys: Buffer;
  readonly values: Buffer;
  readonly keysAddress: number;
  readonly valuesAddress: number;
}

/**
 * The batch commands of bpf(2) on one map. `keys` and `values` are columns of
 * `capacity` elements; {@link count} tells how many of them the last call filled or
 * took, whatever it answered, EFAULT excepted.
 *
 * The cursor is the kernel's own (a bucket for hashes, a key for arrays and tries), so
 * it is kept here and cannot be used with another map. The buffers must not be used
 * after {@link release} or {@link grow}.
 */
export class BatchCalls {
  readonly #keySize: number;
  readonly #valueSize: number;
  readonly #control: Arena;
  readonly #cursorSize: number;
  /** Columns of its own; absent where lookups fill somebody else's. */
  #arena: Arena | undefined;
  #columns: Columns;
  #started = false;
  #current = 0;

  /**
   * @param valueSize bytes of one value in a batch: the whole stride for per-CPU maps.
   *   It must come from the kernel's own info.
   */
  constructor(fd: number, keySize: number, valueSize: number, capacity: number) {
    this.#keySize = keySize;
    this.#valueSize = valueSize;
    // Hashes write a u32 bucket however short their keys are.
    this.#cursorSize = (Math.max(4, keySize) + 7) & ~7;
    this.#control = Arena.take(CURSORS + 2 * this.#cursorSize);
    this.#control.bytes.fill(0, 0, CURSORS);
    this.#control.setU32(FD_FIELD, fd);
    this.#columns = this.#allocate(capacity);
  }

  /** Elements that the columns have room for. */
  get capacity(): number {
    return this.#columns.capacity;
  }

  /** Column of keys. */
  get keys(): Buffer {
    return this.#columns.keys;
  }

  /** Column of values. */
  get values(): Buffer {
    return this.#columns.values;
  }

  /** Elements that the last call filled or took. */
  get count(): number {
    return this.#control.getU32(COUNT_FIELD);
  }

  /**
   * BPF_MAP_LOOKUP_BATCH: reads `most` elements after the cursor at most, into the columns
   * from element `at` on, and moves the cursor. undefined: there may be more. ENOENT: that
   * was the end, and `count` elements are good. ENOSPC: a bucket has more than `most`
   * elements; with more room or after {@link grow}, again.
   */
  lookup(at = 0, most = this.capacity - at): Errno | undefined {
    return this.#advance(BpfCommand.MAP_LOOKUP_BATCH, at, most);
  }

  /** BPF_MAP_LOOKUP_AND_DELETE_BATCH: as {@link lookup}, and deletes what it read. */
  lookupAndDelete(): Errno | undefined {
    return this.#advance(BpfCommand.MAP_LOOKUP_AND_DELETE_BATCH, 0, this.capacity);
  }

  /**
   * BPF_MAP_UPDATE_BATCH with BPF_ANY of the first `count` elements, in order. Stops at
   * the first that is refused, with `this.count` done before it.
   */
  update(count: number): Errno | undefined {
    return this.#apply(BpfCommand.MAP_UPDATE_BATCH, count);
  }

  /** As {@link update}, of columns that lie elsewhere, which the kernel reads where they are. */
  updateFrom(keys: Uint8Array, values: Uint8Array, count: number): Errno | undefined {
    const room = Math.min(keys.length / this.#keySize, values.length / this.#valueSize);
    if (count > room) throw new RangeError(`${count} elements, columns of ${room}`);
    this.#control.setU64(KEYS_FIELD, addressOf(keys.buffer as ArrayBuffer) + keys.byteOffset);
    this.#control.setU64(VALUES_FIELD, addressOf(values.buffer as ArrayBuffer) + values.byteOffset);
    return this.#write(BpfCommand.MAP_UPDATE_BATCH, count);
  }

  /** BPF_MAP_DELETE_BATCH of the first `count` keys; stops as {@link update}. */
  delete(count: number): Errno | undefined {
    return this.#apply(BpfCommand.MAP_DELETE_BATCH, count);
  }

  /** Sets the cursor before the first element. */
  rewind(): void {
    this.#started = false;
  }

  /**
   * Sets the cursor to a key, for maps whose cursor is one: arrays and tries. The next
   * lookup reads from the element after it, or from the first where it is not there.
   */
  seek(key: Uint8Array): void {
    this.#control.bytes.set(key, CURSORS + this.#current * this.#cursorSize);
    this.#started = true;
  }

  /** Makes room for `capacity` elements and keeps the cursor. Contents are lost. */
  grow(capacity: number): void {
    this.#arena?.release();
    this.#columns = this.#allocate(capacity);
  }

  /**
   * From now on lookups fill this memory instead of columns of their own, until the next
   * {@link grow}. It must not be transferred before another takes its place.
   */
  fill(memory: ArrayBuffer, { capacity, keysAt, valuesAt }: ColumnPlaces): void {
    this.#arena?.release();
    this.#arena = undefined;
    const address = addressOf(memory);
    this.#columns = {
      capacity,
      keys: Buffer.from(memory, keysAt, capacity * this.#keySize),
      values: Buffer.from(memory, valuesAt, capacity * this.#valueSize),
      keysAddress: address + keysAt,
      valuesAddress: address + valuesAt,
    };
  }

  /** Gives the memory back. */
  release(): void {
    this.#control.release();
    this.#arena?.release();
  }

  #advance(command: number, at: number, most: number): Errno | undefined {
    this.#checkRoom(at + most);
    const next = 1 - this.#current;
    const cursor = (index: number) => this.#control.at(CURSORS + index * this.#cursorSize);
    this.#control.setU64(0, this.#started ? cursor(this.#current) : 0);
    this.#control.setU64(OUT_FIELD, cursor(next));
    this.#pointAt(at);
    this.#control.setU32(COUNT_FIELD, most);
    const result = bpf(command, this.#control.address, ATTR_SIZE);
    if (result < 0) return errnoName(-result);
    this.#started = true;
    this.#current = next;
    return undefined;
  }

  #apply(command: number, count: number): Errno | undefined {
    this.#checkRoom(count);
    this.#pointAt(0);
    return this.#write(command, count);
  }

  #write(command: number, count: number): Errno | undefined {
    this.#control.setU32(COUNT_FIELD, count);
    const result = bpf(command, this.#control.address, ATTR_SIZE);
    return result < 0 ? errnoName(-result) : undefined;
  }

  /** The kernel would go past the columns, to whatever lies there. */
  #checkRoom(count: number): void {
    if (count > this.capacity) throw new RangeError(`${count} elements, room for ${this.capacity}`);
  }

  /** Where in the columns the next call begins. */
  #pointAt(element: number): void {
    const { keysAddress, valuesAddress } = this.#columns;
    this.#control.setU64(KEYS_FIELD, keysAddress + element * this.#keySize);
    this.#control.setU64(VALUES_FIELD, valuesAddress + element * this.#valueSize);
  }

  #allocate(capacity: number): Columns {
    const keyBytes = capacity * this.#keySize;
    const valuesAt = (keyBytes + 63) & ~63;
    const valuesEnd = valuesAt + capacity * this.#valueSize;
    const arena = Arena.take(valuesEnd);
    this.#arena = arena;
    return {
      capacity,
      keys: arena.bytes.subarray(0, keyBytes),
      values: arena.bytes.subarray(valuesAt, valuesEnd),
      keysAddress: arena.at(0),
      valuesAddress: arena.at(valuesAt),
    };
  }
}
