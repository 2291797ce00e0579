import { BatchCalls, type Errno } from "../../kernel/index.js";
import { MapError } from "../map-error.js";
import { whileContended } from "../retry.js";
import type { ElementSource, WalkOptions, WalkStats } from "./element-source.js";
import { explainFor, type ScanTarget } from "./scan-target.js";
import { FIRST_SHARE, stretchFor } from "./stretch.js";
import type { StretchMemory } from "./stretch-memory.js";

/**
 * Most elements and bytes of one call. It holds its CPU to the end on kernels that do not
 * preempt themselves (PREEMPT_NONE, as on many servers), so that whatever else wants to run
 * there, single lookups too, waits: about half a millisecond with this many.
 */
const CALL_ELEMENTS = 2048;
const CALL_BYTES = 256 * 1024;

/**
 * A walk by BPF_MAP_LOOKUP_BATCH over a hash or an array.
 *
 * Hashes are read bucket by bucket, each whole under its lock, and arrays by index, so
 * neither can repeat or miss an element.
 */
export class BatchSource implements ElementSource {
  readonly stats: WalkStats = { restarts: 0, duplicatesDropped: 0 };
  readonly #target: ScanTarget;
  readonly #batch: BatchCalls;
  readonly #callElements: number;
  /** Elements to read at least in the next stretch. */
  #aim: number;
  #count = 0;
  #ended = false;

  /** Gives the memory of each stretch; absent where the batch calls have columns of their own. */
  readonly #memory: StretchMemory | undefined;

  constructor(target: ScanTarget, { stretch, memory }: WalkOptions) {
    const { keySize, valueStride } = target.layout;
    this.#target = target;
    this.#memory = memory;
    this.#callElements = stretchFor(target.layout, CALL_ELEMENTS, CALL_BYTES);
    this.#batch = new BatchCalls(target.fd, keySize, valueStride, stretch);
    this.#aim = Math.ceil(stretch / FIRST_SHARE);
  }

  get count(): number {
    return this.#count;
  }

  get keys(): Buffer {
    return this.#batch.keys;
  }

  get values(): Buffer {
    return this.#batch.values;
  }

  next(): boolean {
    if (this.#ended) return false;
    this.#count = 0;
    this.#memory?.prepare(this.#batch);
    const aim = Math.min(this.#aim, this.#batch.capacity);
    this.#aim = aim * 2;
    while (!this.#ended && this.#count < aim) {
      const errno = this.#lookup();
      if (errno === "ENOSPC") {
        // One bucket has more elements than there is room for; the cursor stays before it.
        if (this.#count === 0) this.#grow();
        break;
      }
      if (errno === "ENOENT") this.#ended = true;
      else if (errno) throw explainFor(this.#target, errno, "read a batch of elements");
      this.#count += this.#batch.count;
    }
    return true;
  }

  #grow(): void {
    const { capacity } = this.#batch;
    if (capacity > 2 * this.#target.layout.maxEntries) throw alwaysTooSmall(this.#target);
    this.#batch.grow(capacity * 2);
  }

  /** Reads into what is left of the columns: as much as a call should, if a bucket is not larger. */
  #lookup(): Errno | undefined {
    const at = this.#count;
    const room = this.#batch.capacity - at;
    const most = Math.min(room, this.#callElements);
    const errno = whileContended(() => this.#batch.lookup(at, most));
    if (errno !== "ENOSPC" || most === room) return errno;
    return whileContended(() => this.#batch.lookup(at));
  }

  release(): void {
    this.#batch.release();
  }
}

/** A kernel that found no room in more than the map can hold would be asked for ever. */
function alwaysTooSmall({ label }: ScanTarget): MapError {
  return new MapError(
    "KERNEL_ERROR",
    `${label}: the kernel answers ENOSPC to a read that has room for twice max_entries`,
    { metadata: { map: label, operation: "read a batch of elements", errno: "ENOSPC" } },
  );
}
