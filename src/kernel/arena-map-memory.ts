import { readdirSync, readFileSync } from "node:fs";
import { withArena } from "./arena.js";
import { errnoName, KernelError } from "./errno.js";
import { pageSize } from "./host.js";
import { copyOwnMemory, mmap, munmap } from "./libc.js";
import { mapInfo } from "./map-info.js";

/** BPF_MAP_TYPE_ARENA. */
const ARENA = 33;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
/** `struct iovec`: address and length. */
const IOVEC_SIZE = 16;

/**
 * The pages of an arena map, by offset from its start. Bytes are copied by the kernel
 * (process_vm_readv(2) on this process), because touching a page that no program has
 * made would end the process where the map has BPF_F_SEGV_ON_FAULT.
 *
 * Without that flag, reading or writing a page makes it. Linux 6.9.
 */
export class ArenaMapMemory {
  /** Bytes. */
  readonly size: number;
  readonly #address: number;
  #mapped = true;

  private constructor(address: number, size: number) {
    this.#address = address;
    this.size = size;
  }

  /**
   * Maps the arena; the fd may be closed after, and the map lives on until
   * {@link unmap}. Throws KernelError: EINVAL for maps of other types, EBUSY or EINVAL
   * where the arena belongs at addresses that this process uses otherwise or cannot
   * find out.
   *
   * An arena without an address of its own (`map_extra`) gets it from whoever maps it
   * first, for good, and the kernel tells nobody. With `place: false` this is not the
   * first to map it: ENXIO where nobody is seen to have.
   */
  static open(fd: number, { place = true }: { place?: boolean } = {}): ArenaMapMemory {
    const { id, type, maxEntries, mapExtra } = mapInfo(fd);
    if (type !== ARENA) throw new KernelError("EINVAL", "mmap");
    const size = maxEntries * pageSize();
    let result = 0;
    for (const address of possibleAddresses(id, Number(mapExtra), size, place)) {
      // All of it, at its one address: the kernel takes nothing else.
      result = mmap(address, size, PROT_READ_WRITE, MAP_SHARED, fd, 0);
      if (result < 0) continue;
      knownAddresses.set(id, result);
      return new ArenaMapMemory(result, size);
    }
    throw new KernelError(result === 0 ? "ENXIO" : errnoName(-result), "mmap");
  }

  /** Copies bytes out. Throws KernelError: EFAULT where a page is not there. */
  read(offset: number, length: number): Buffer {
    this.#check(offset, length);
    const bytes = Buffer.alloc(length);
    this.#copy("read", offset, length, (memory) => memory.copy(bytes));
    return bytes;
  }

  /** Copies bytes in. Throws KernelError: EFAULT where a page is not there. */
  write(offset: number, bytes: Uint8Array): void {
    this.#check(offset, bytes.length);
    this.#copy("write", offset, bytes.length, () => {}, bytes);
  }

  /** Lets the map go. */
  unmap(): void {
    // Twice would unmap what is there by then.
    if (this.#mapped) munmap(this.#address, this.size);
    this.#mapped = false;
  }

  #check(offset: number, length: number): void {
    if (!this.#mapped) throw new RangeError("the arena is not mapped any more");
    if (offset < 0 || offset + length > this.size) {
      throw new RangeError(`bytes ${offset} to ${offset + length} are not in ${this.size}`);
    }
  }

  #copy(
    way: "read" | "write",
    offset: number,
    length: number,
    use: (memory: Buffer) => void,
    source?: Uint8Array,
  ): void {
    if (length === 0) return;
    withArena(2 * IOVEC_SIZE + length, (arena) => {
      const data = 2 * IOVEC_SIZE;
      const memory = arena.bytes.subarray(data, data + length);
      if (source) memory.set(source);
      arena.setU64(0, arena.at(data));
      arena.setU64(8, length);
      arena.setU64(IOVEC_SIZE, this.#address + offset);
      arena.setU64(IOVEC_SIZE + 8, length);
      const copied = copyOwnMemory(way, arena.address, arena.at(IOVEC_SIZE));
      const call = way === "read" ? "process_vm_readv" : "process_vm_writev";
      if (copied < 0) throw new KernelError(errnoName(-copied), call);
      // What came before the missing page was copied, and counts for nothing.
      if (copied < length) throw new KernelError("EFAULT", call);
      use(memory);
    });
  }
}

/** Where arenas lay that this thread has mapped before, by map id. */
const knownAddresses = new Map<number, number>();

/** Addresses to try: the kernel refuses every wrong one. */
function* possibleAddresses(
  id: number,
  own: number,
  size: number,
  place: boolean,
): Generator<number> {
  if (own !== 0) return yield own;
  const known = knownAddresses.get(id);
  if (known !== undefined) yield known;
  if (place) yield 0;
  yield* mappedElsewhere(size);
}

/** Starts of what other processes have mapped of BPF maps and is of this size. */
function* mappedElsewhere(size: number): Generator<number> {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const line of mapsOf(pid)) {
      if (!line.endsWith("anon_inode:bpf-map")) continue;
      const [start = 0, end = 0] = line
        .slice(0, line.indexOf(" "))
        .split("-")
        .map((address) => Number.parseInt(address, 16));
      if (end - start === size) yield start;
    }
  }
}

function mapsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/maps`, "latin1").split("\n");
  } catch {
    // It has ended, or may not be looked into.
    return [];
  }
}
