import { constants } from "node:buffer";
import { errnoName, KernelError } from "./errno.js";
import { pageSize } from "./host.js";
import { madvise, mmap, viewMemory } from "./libc.js";
import { unmapWithLastView } from "./mapped-addresses.js";

const PROT_READ_WRITE = 3;
/** MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE. */
const FLAGS = 0x02 | 0x20 | 0x4000;
const MADV_DONTNEED = 4;

/**
 * Memory that takes room only where it was written, by whole pages, and that is given back
 * at once, not when the garbage collector comes to it. For what is large and lives long.
 */
export class LazyMemory {
  /** All bytes; zero where they were not written. */
  readonly bytes: Buffer;
  readonly #address: number;

  private constructor(address: number, length: number) {
    const view = viewMemory(address, length);
    unmapWithLastView(view, address);
    this.#address = address;
    this.bytes = Buffer.from(view);
  }

  /** Memory of `length` bytes, none of which takes room yet. Throws where it is too much. */
  static take(length: number): LazyMemory {
    // A view that V8 refuses to make ends the process, not only the call.
    if (length > constants.MAX_LENGTH) throw new RangeError(`no memory for ${length} bytes`);
    const address = mmap(0, length, PROT_READ_WRITE, FLAGS, -1, 0);
    if (address < 0) throw new KernelError(errnoName(-address), "mmap");
    return new LazyMemory(address, length);
  }

  /** Gives back the room of what lies past the first `length` bytes, but a part of a page. */
  trim(length: number): void {
    const from = Math.ceil(length / pageSize()) * pageSize();
    if (from >= this.bytes.length) return;
    const result = madvise(this.#address + from, this.bytes.length - from, MADV_DONTNEED);
    if (result < 0) throw new KernelError(errnoName(-result), "madvise");
  }

  /** Gives back all room. */
  release(): void {
    this.trim(0);
  }
}
