import { ArrayMemory, type ColumnPlaces, KernelError } from "../../kernel/index.js";
import { writeIndices } from "./array-keys.js";
import type { ElementSource, WalkOptions, WalkStats } from "./element-source.js";
import type { ScanTarget } from "./scan-target.js";
import { FIRST_SHARE } from "./stretch.js";
import type { StretchMemory, StretchReader } from "./stretch-memory.js";

/**
 * A walk over an array through its memory, without a system call a stretch. Each value is
 * copied once: programs write it meanwhile, so a filter and the chunk it fills must not
 * look at it twice.
 */
export class MemorySource implements ElementSource, StretchReader {
  readonly stats: WalkStats = { restarts: 0, duplicatesDropped: 0 };
  readonly capacity: number;
  readonly #array: ArrayMemory;
  readonly #valueSize: number;
  /** Gives the memory of each stretch; absent where the walk has columns of its own. */
  readonly #memory: StretchMemory | undefined;
  /** The keys of a stretch; memory that is given need not be aligned for them. */
  readonly #indices: Uint32Array;
  #next = 0;
  /** Elements to read in the next stretch. */
  #aim: number;
  #count = 0;
  #keys: Buffer;
  #values: Buffer;

  private constructor(array: ArrayMemory, valueSize: number, { stretch, memory }: WalkOptions) {
    this.#array = array;
    this.#valueSize = valueSize;
    this.#memory = memory;
    this.capacity = stretch;
    this.#aim = Math.ceil(stretch / FIRST_SHARE);
    this.#indices = new Uint32Array(Math.min(stretch, array.maxEntries));
    this.#keys = Buffer.from(this.#indices.buffer);
    this.#values = Buffer.allocUnsafeSlow(memory ? 0 : this.#indices.length * valueSize);
  }

  /** Undefined where the kernel does not map the array, as one whose values hold a lock. */
  static open(target: ScanTarget, options: WalkOptions): MemorySource | undefined {
    try {
      const array = ArrayMemory.open(target.fd);
      return new MemorySource(array, target.layout.valueSize, options);
    } catch (error) {
      if (error instanceof KernelError) return undefined;
      throw error;
    }
  }

  get count(): number {
    return this.#count;
  }

  get keys(): Buffer {
    return this.#keys;
  }

  get values(): Buffer {
    return this.#values;
  }

  fill(memory: ArrayBuffer, { keysAt, valuesAt }: ColumnPlaces): void {
    this.#keys = Buffer.from(memory, keysAt, valuesAt - keysAt);
    this.#values = Buffer.from(memory, valuesAt);
  }

  next(): boolean {
    this.#count = Math.min(this.#aim, this.#array.maxEntries - this.#next);
    if (this.#count === 0) return false;
    this.#aim = Math.min(this.#aim * 2, this.capacity);
    this.#memory?.prepare(this);
    this.#copyKeys();
    this.#copyValues();
    this.#next += this.#count;
    return true;
  }

  release(): void {
    this.#array.unmap();
  }

  #copyKeys(): void {
    const keys = this.#indices.subarray(0, this.#count);
    writeIndices(keys, this.#next);
    if (keys.buffer !== this.#keys.buffer)
      this.#keys.set(Buffer.from(keys.buffer, 0, keys.byteLength));
  }

  #copyValues(): void {
    const { bytes, stride } = this.#array;
    const size = this.#valueSize;
    const from = this.#next * stride;
    if (stride === size) {
      bytes.copy(this.#values, 0, from, from + this.#count * size);
      return;
    }
    for (let index = 0; index < this.#count; index++) {
      const at = from + index * stride;
      bytes.copy(this.#values, index * size, at, at + size);
    }
  }
}
