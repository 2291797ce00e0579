import { ArrayMemory, KernelError } from "../../kernel/index.js";
import { arrayKeys } from "./array-keys.js";
import type { ElementSource, WalkOptions, WalkStats } from "./element-source.js";
import type { ScanTarget } from "./scan-target.js";

const NOTHING = Buffer.alloc(0);

/**
 * A walk over an array through its memory, without a system call a stretch. Each value is
 * copied once: programs write it meanwhile, so a filter and the chunk it fills must not
 * look at it twice.
 */
export class MemorySource implements ElementSource {
  readonly stats: WalkStats = { restarts: 0, duplicatesDropped: 0 };
  readonly #memory: ArrayMemory;
  readonly #valueSize: number;
  readonly #stretch: number;
  #next = 0;
  #count = 0;
  #keys: Buffer = NOTHING;
  #values: Buffer = NOTHING;

  private constructor(memory: ArrayMemory, valueSize: number, { stretch }: WalkOptions) {
    this.#memory = memory;
    this.#valueSize = valueSize;
    this.#stretch = stretch;
  }

  /** Undefined where the kernel does not map the array, as one whose values hold a lock. */
  static open(target: ScanTarget, options: WalkOptions): MemorySource | undefined {
    try {
      const memory = ArrayMemory.open(target.fd);
      return new MemorySource(memory, target.layout.valueSize, options);
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

  next(): boolean {
    const { maxEntries } = this.#memory;
    this.#count = Math.min(this.#stretch, maxEntries - this.#next);
    if (this.#count === 0) return false;
    this.#keys = arrayKeys(this.#next, this.#count);
    this.#copyValues();
    this.#next += this.#count;
    return true;
  }

  release(): void {
    this.#memory.unmap();
  }

  #copyValues(): void {
    const { bytes, stride } = this.#memory;
    const size = this.#valueSize;
    const from = this.#next * stride;
    if (this.#values.length < this.#count * size) {
      this.#values = Buffer.allocUnsafe(this.#count * size);
    }
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
