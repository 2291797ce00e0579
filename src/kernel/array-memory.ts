import { KernelError } from "./errno.js";
import { mapInfo } from "./map-info.js";
import { MappedRegion } from "./mapped-region.js";

/** BPF_MAP_TYPE_ARRAY: ring buffers and arenas can be mapped too, but hold no values. */
const ARRAY = 2;

/**
 * The values of an array map made with BPF_F_MMAPABLE, in place: what programs and
 * other processes write shows at once, and reading costs no system call. Such reads are
 * not atomic but for aligned numbers.
 */
export class ArrayMemory {
  /** Values one after the other, each {@link stride} bytes from the last. */
  readonly bytes: Buffer;
  /** Bytes from one value to the next: the value's size, rounded up to 8. */
  readonly stride: number;
  readonly maxEntries: number;
  readonly #region: MappedRegion;

  private constructor(region: MappedRegion, stride: number, maxEntries: number) {
    this.#region = region;
    this.bytes = Buffer.from(region.memory, 0, stride * maxEntries);
    this.stride = stride;
    this.maxEntries = maxEntries;
  }

  /**
   * Maps all values; the fd may be closed after, and the map lives on until
   * {@link unmap}. Throws KernelError: EINVAL for other maps, EPERM for
   * writing to a frozen map.
   */
  static open(fd: number, options: { readonly writable?: boolean } = {}): ArrayMemory {
    const { type, valueSize, maxEntries } = mapInfo(fd);
    if (type !== ARRAY) throw new KernelError("EINVAL", "mmap");
    const stride = (valueSize + 7) & ~7;
    const writable = options.writable ?? false;
    const region = MappedRegion.map(fd, { length: stride * maxEntries, writable });
    return new ArrayMemory(region, stride, maxEntries);
  }

  /**
   * Maps the values of the same map again, to be read, after {@link unmap}; `bytes` shows
   * them. Throws KernelError.
   */
  remap(fd: number): void {
    this.#region.remap(fd);
  }

  /** Lets the map go; `bytes` shows zeros from now on. */
  unmap(): void {
    this.#region.unmap();
  }
}
