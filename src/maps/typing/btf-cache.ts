import {
  type Btf,
  btfGetFdById,
  btfInfo,
  closeFd,
  KernelError,
  readBtfById,
  readKernelBtf,
  readModuleBtf,
} from "../../kernel/index.js";

/** The kernel's own BTF has 5.5 MB, most programs' far less than 100 KB. */
const MAX_BYTES = 64 << 20;

const VMLINUX = "vmlinux";

/** BTF objects, parsed once and kept while they are used, up to 64 MB of them. */
export class BtfCache {
  /** By id or name, least lately used first. */
  readonly #entries = new Map<number | string, { btf: Btf; bytes: number }>();
  #bytes = 0;

  /** The BTF object with this id; undefined where there is none. Throws KernelError. */
  byId(id: number): Btf | undefined {
    // An id that is gone must not be answered from here.
    const info = infoOf(id);
    if (!info) return undefined;
    if (info.kernel) return this.byName(info.name);
    return this.#get(id, () => ({
      btf: readBtfById(id, () => this.byName(VMLINUX)),
      bytes: info.size,
    }));
  }

  /** The BTF of the kernel ("vmlinux") or of a module; undefined where it has none. */
  byName(name: string): Btf | undefined {
    return this.#get(name, () => {
      const btf = this.#readByName(name);
      return btf && { btf, bytes: 8 << 20 };
    });
  }

  #readByName(name: string): Btf | undefined {
    if (name === VMLINUX) return readKernelBtf();
    const kernel = this.byName(VMLINUX);
    return kernel && readModuleBtf(name, kernel);
  }

  #get(key: number | string, read: () => { btf: Btf; bytes: number } | undefined): Btf | undefined {
    const entry = this.#entries.get(key) ?? read();
    if (!entry) return undefined;
    if (!this.#entries.delete(key)) this.#bytes += entry.bytes;
    this.#entries.set(key, entry);
    this.#dropOldest();
    return entry.btf;
  }

  #dropOldest(): void {
    for (const [key, { bytes }] of this.#entries) {
      if (this.#bytes <= MAX_BYTES || this.#entries.size === 1) return;
      this.#entries.delete(key);
      this.#bytes -= bytes;
    }
  }
}

function infoOf(id: number): ReturnType<typeof btfInfo> | undefined {
  let fd: number;
  try {
    fd = btfGetFdById(id);
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENOENT") return undefined;
    throw error;
  }
  try {
    return btfInfo(fd);
  } finally {
    closeFd(fd);
  }
}
