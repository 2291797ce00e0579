import { allocate, free } from "./libc.js";

/**
 * Memory that the kernel may be given addresses of: from malloc, so that the garbage
 * collector can neither move nor free it. (Key and value buffers of V8 named only by
 * their address inside `bpf_attr` are freed under the kernel's hands.)
 *
 * Arenas of common sizes are kept for reuse, because making the view of one costs more
 * than a system call. Contents are undefined when taken. Never leaves this floor.
 */
export class Arena {
  readonly address: number;
  readonly bytes: Buffer;
  readonly view: DataView;
  #released = false;

  private constructor(size: number) {
    const { address, memory } = allocate(size);
    this.address = address;
    this.bytes = Buffer.from(memory);
    this.view = new DataView(memory);
  }

  /** An arena of at least `size` bytes; {@link release} must be called. */
  static take(size: number): Arena {
    const roomy = roundUpToClass(size);
    const arena = spare.get(roomy)?.pop();
    if (!arena) return new Arena(roomy);
    arena.#released = false;
    return arena;
  }

  /** Gives the memory back; neither the arena nor any view of it may be used after. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    const size = this.bytes.length;
    const kept = spare.get(size) ?? [];
    if (size > LARGEST_KEPT || kept.length >= KEPT_PER_CLASS) {
      free(this.address);
    } else {
      kept.push(this);
      spare.set(size, kept);
    }
  }

  /** Address of the byte at `offset`. */
  at(offset: number): number {
    return this.address + offset;
  }

  setU32(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }

  getU32(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  /** Writes a whole number of up to 53 bits as u64. Both machines are little-endian. */
  setU64(offset: number, value: number): void {
    this.view.setUint32(offset, value >>> 0, true);
    this.view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
  }

  getU64(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }
}

const SMALLEST = 4096;
const LARGEST_KEPT = 1 << 20;
const KEPT_PER_CLASS = 8;
const spare = new Map<number, Arena[]>();

function roundUpToClass(size: number): number {
  if (size > LARGEST_KEPT) return size;
  return Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(Math.max(size, 1))));
}

/** Runs `use` with a zeroed arena of `size` bytes that lives as long as the call. */
export function withArena<T>(size: number, use: (arena: Arena) => T): T {
  const arena = Arena.take(size);
  arena.bytes.fill(0, 0, size);
  try {
    return use(arena);
  } finally {
    arena.release();
  }
}
