import { BatchCalls, ElementCalls, ElementFlag, type Errno } from "../kernel/index.js";
import type { CapabilityTable } from "./capability-table.js";
import type { Columns, CpuTarget, UpdateMode } from "./columns.js";
import { fillSlots } from "./cpu-slots.js";
import { writtenValueSize } from "./element-check.js";
import type { MapLayout } from "./map-layout.js";
import { whileContended } from "./retry.js";

/** Most elements, and about most bytes, of one batch call: 4–16 k are fastest. */
const BATCH_ELEMENTS = 4096;
const BATCH_BYTES = 1 << 20;

/** Most elements that are written one by one before others may run. */
const SINGLES = 256;

/** How elements are to be written. */
export interface WriteOptions {
  readonly mode: UpdateMode;
  readonly target?: CpuTarget | undefined;
  /** BPF_F_LOCK. */
  readonly lock: boolean;
}

/** What of the write commands a kernel has for the map's type. Plain data. */
export interface WriteAbilities {
  readonly updateBatch: boolean;
  readonly singleCpuByKernel: boolean;
}

/** What the table says of writing maps of a type. */
export function writeAbilities(table: CapabilityTable, type: number): WriteAbilities {
  return {
    updateBatch: table.supports(type, "update_batch"),
    singleCpuByKernel: table.of(type)?.singleCpuWrite === "kernel",
  };
}

const MODE_FLAGS: Record<UpdateMode, number> = {
  any: ElementFlag.ANY,
  noexist: ElementFlag.NOEXIST,
  exist: ElementFlag.EXIST,
};

/**
 * Writes columns of elements to one map, in batches where the kernel takes them, one by
 * one elsewhere. {@link release} must be called.
 */
export class ElementWriter {
  readonly #layout: MapLayout;
  readonly #options: WriteOptions;
  readonly #writeOne: (calls: ElementCalls, value: Uint8Array) => Errno | undefined;
  readonly #calls: ElementCalls;
  readonly #batch: BatchCalls | undefined;
  /** Most elements that {@link write} does at once. */
  readonly stretch: number;

  constructor(fd: number, layout: MapLayout, abilities: WriteAbilities, options: WriteOptions) {
    this.#layout = layout;
    this.#options = options;
    this.#writeOne = this.#oneWriter(abilities);
    this.#calls = new ElementCalls(fd, layout.keySize, layout.valueStride);
    // The batch command takes no BPF_NOEXIST or BPF_EXIST on the kernels there are.
    if (abilities.updateBatch && options.mode === "any" && !options.target && !options.lock) {
      // Without columns of its own: the kernel reads those of the caller.
      this.#batch = new BatchCalls(fd, layout.keySize, layout.valueStride, 0);
      const bytes = layout.keySize + layout.valueStride;
      this.stretch = Math.max(1, Math.min(BATCH_ELEMENTS, Math.floor(BATCH_BYTES / bytes)));
    } else {
      this.stretch = SINGLES;
    }
  }

  /**
   * Writes elements from `start`, at most {@link stretch} of them. Answers how many were
   * written, and the errno of the one after them where the kernel refused it.
   */
  write(columns: Columns, start: number): { written: number; errno?: Errno | undefined } {
    const count = Math.min(columns.count - start, this.stretch);
    if (this.#batch && count > 1) return this.#writeBatch(this.#batch, columns, start, count);
    for (let done = 0; done < count; done++) {
      const errno = this.#writeAt(columns, start + done);
      if (errno !== undefined) return { written: done, errno };
    }
    return { written: count };
  }

  /** Gives the memory back. */
  release(): void {
    this.#calls.release();
    this.#batch?.release();
  }

  #writeBatch(batch: BatchCalls, columns: Columns, start: number, count: number) {
    const { keySize, valueStride } = this.#layout;
    const keys = columns.keys.subarray(start * keySize, (start + count) * keySize);
    const values = columns.values.subarray(start * valueStride, (start + count) * valueStride);
    const errno = batch.updateFrom(keys, values, count);
    if (errno === undefined) return { written: count };
    // A call that fails before its first element (ENOMEM) leaves count as it was given.
    const written = batch.count < count ? batch.count : 0;
    // Tried alone, the refused element tells contention from a lasting reason.
    const again = this.#writeAt(columns, start + written);
    return again === undefined ? { written: written + 1 } : { written, errno: again };
  }

  #writeAt(columns: Columns, index: number): Errno | undefined {
    const { keySize } = this.#layout;
    const size = writtenValueSize(this.#layout, this.#options.target);
    this.#calls.key.set(columns.keys.subarray(index * keySize, (index + 1) * keySize));
    const value = columns.values.subarray(index * size, (index + 1) * size);
    return whileContended(() => this.#writeOne(this.#calls, value));
  }

  #oneWriter(
    abilities: WriteAbilities,
  ): (calls: ElementCalls, value: Uint8Array) => Errno | undefined {
    const { mode, lock, target } = this.#options;
    const flags = MODE_FLAGS[mode] + (lock ? ElementFlag.LOCK : 0);
    const layout = this.#layout;
    if (!target) {
      return (calls, value) => {
        calls.value.set(value);
        return calls.update(flags);
      };
    }
    if ("allCpus" in target) {
      return (calls, value) => {
        fillSlots(layout, value, calls.value);
        return calls.update(flags);
      };
    }
    if (abilities.singleCpuByKernel) {
      return (calls, value) => {
        calls.value.set(value);
        return calls.update(flags + ElementFlag.CPU, target.cpu);
      };
    }
    const slot = layout.cpus.indexOf(target.cpu) * layout.slotSize;
    return (calls, value) => {
      // Read, change, write back: what programs add to other slots in between is lost.
      const errno = calls.lookup();
      if (errno === "ENOENT") calls.value.fill(0);
      else if (errno !== undefined) return errno;
      calls.value.set(value, slot);
      return calls.update(flags);
    };
  }
}
