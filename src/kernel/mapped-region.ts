import { errnoName, KernelError } from "./errno.js";
import { mmap, viewMemory } from "./libc.js";
import { unmapWithLastView } from "./mapped-addresses.js";

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;

/** Which part of an fd to map, and how. */
export interface Mapping {
  /** Bytes; a part of a page counts as a whole one. */
  readonly length: number;
  /** A multiple of the page size; 0 unless given. */
  readonly offset?: number;
  /** Otherwise writing to it ends the process. */
  readonly writable?: boolean;
}

/**
 * Memory shared with the kernel. It lives until {@link unmap}, or until nothing refers
 * to it any more.
 *
 * V8 cannot be told that memory is gone, so a view that outlives `unmap` would end the
 * process with SIGSEGV at its next use. Therefore `unmap` puts empty memory in place of
 * the kernel's: the map is let go at once, late readers find zeros, and the addresses
 * are given back when the last view is.
 */
export class MappedRegion {
  /** All bytes. */
  readonly memory: ArrayBuffer;
  readonly #address: number;
  #mapped = true;

  private constructor(address: number, length: number) {
    this.#address = address;
    this.memory = viewMemory(address, length);
    unmapWithLastView(this.memory, address);
  }

  /** Maps a part of what the fd stands for; the fd may be closed after. Throws KernelError. */
  static map(fd: number, mapping: Mapping): MappedRegion {
    const { length, offset = 0, writable = false } = mapping;
    const protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    const address = mmap(0, length, protection, MAP_SHARED, fd, offset);
    if (address < 0) throw new KernelError(errnoName(-address), "mmap");
    return new MappedRegion(address, length);
  }

  /**
   * Maps the start of what an fd stands for, to be read, in place of memory that was let
   * go: views show it again. Costs no addresses, so it can be done often. Throws KernelError.
   */
  remap(fd: number): void {
    const { byteLength } = this.memory;
    const result = mmap(this.#address, byteLength, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    this.#mapped = true;
    if (result >= 0) return;
    // What was there before may be gone all the same.
    this.unmap();
    throw new KernelError(errnoName(-result), "mmap");
  }

  /** Lets the kernel's memory go; views of it show zeros from now on. */
  unmap(): void {
    if (!this.#mapped) return;
    this.#mapped = false;
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    const protection = PROT_READ | PROT_WRITE;
    const result = mmap(this.#address, this.memory.byteLength, protection, flags, -1, 0);
    if (result < 0) throw new KernelError(errnoName(-result), "mmap");
  }
}
