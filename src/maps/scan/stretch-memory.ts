import type { ColumnPlaces } from "../../kernel/index.js";
import type { MapLayout } from "../map-layout.js";
import type { Chunk, ChunkRoom } from "./chunk.js";

/** Memory that was sent and has come back is kept for as many stretches as are on their way. */
const MOST_SPARES = 8;

/** What reads stretches, into memory that it is given. */
export interface StretchReader {
  /** Elements that its columns have room for. */
  readonly capacity: number;
  /** Reads into this memory from now on. */
  fill(memory: ArrayBuffer, places: ColumnPlaces): void;
}

/**
 * Memory that the kernel fills with the columns of a stretch, laid out as the chunk that it
 * then is: the columns are not copied, but for the keys of a stretch that is not full, which
 * move up to its values.
 *
 * Memory that has been sent comes back, so that a dump touches no fresh pages all the time.
 */
export class StretchMemory {
  readonly #capacity: number;
  readonly #keySize: number;
  readonly #valueSize: number;
  readonly #room: ChunkRoom;
  readonly #spares: ArrayBuffer[] = [];
  /** What the walk reads into now; absent where it has none of this. */
  #current: ArrayBuffer | undefined;

  /** @param capacity elements of a stretch */
  constructor({ keySize, valueStride }: MapLayout, capacity: number, room: ChunkRoom) {
    this.#capacity = capacity;
    this.#keySize = keySize;
    this.#valueSize = valueStride;
    this.#room = room;
  }

  /** Whether the stretch that was read last lies in this memory. */
  holds({ buffer }: Uint8Array): boolean {
    return this.#current !== undefined && buffer === this.#current;
  }

  /** Before a stretch is read: sees to it that it has memory, that of the one before if it was not sent. */
  prepare(reader: StretchReader): void {
    // Columns that had to grow are too large for a chunk.
    if (reader.capacity !== this.#capacity || this.#current !== undefined) return;
    this.#current = this.#spares.pop() ?? this.#allocate();
    const places = { capacity: this.#capacity, keysAt: this.#keysAt, valuesAt: this.#valuesAt };
    reader.fill(this.#current, places);
  }

  /** The chunk that the first `count` elements of the memory are. They are no longer ours. */
  seal(count: number): Chunk {
    const memory = this.#current as ArrayBuffer;
    this.#current = undefined;
    const bytes = Buffer.from(memory);
    const keysLength = count * this.#keySize;
    const valuesLength = count * this.#valueSize;
    const keysAt = this.#valuesAt - this.#room.between - keysLength;
    bytes.copyWithin(keysAt, this.#keysAt, this.#keysAt + keysLength);
    const start = keysAt - this.#room.before;
    // What is not overwritten there must not leave the process.
    bytes.fill(0, start, keysAt);
    bytes.fill(0, keysAt + keysLength, this.#valuesAt);
    const buffer = bytes.subarray(start, this.#valuesAt + valuesLength);
    return { count, buffer, keysLength, valuesLength };
  }

  /** Takes back memory that was sent. */
  giveBack(memory: ArrayBuffer): void {
    if (this.#spares.length < MOST_SPARES) this.#spares.push(memory);
  }

  get #keysAt(): number {
    return this.#room.before;
  }

  get #valuesAt(): number {
    return this.#keysAt + this.#capacity * this.#keySize + this.#room.between;
  }

  #allocate(): ArrayBuffer {
    const size = this.#valuesAt + this.#capacity * this.#valueSize;
    // From malloc and not cleared: the kernel fills what is sent of it.
    return Buffer.allocUnsafeSlow(size).buffer as ArrayBuffer;
  }
}
