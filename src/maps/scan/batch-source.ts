import { BatchCalls } from "../../kernel/index.js";
import { whileContended } from "../retry.js";
import type { ElementSource, WalkOptions, WalkStats } from "./element-source.js";
import { explainFor, type ScanTarget } from "./scan-target.js";

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
  #count = 0;
  #ended = false;

  constructor(target: ScanTarget, { stretch }: WalkOptions) {
    const { keySize, valueStride } = target.layout;
    this.#target = target;
    this.#batch = new BatchCalls(target.fd, keySize, valueStride, stretch);
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
    const errno = whileContended(() => this.#batch.lookup());
    this.#count = this.#batch.count;
    if (errno === "ENOENT") {
      this.#ended = true;
    } else if (errno === "ENOSPC") {
      // One bucket has more elements than the columns; the cursor stays before it.
      this.#batch.grow(this.#batch.capacity * 2);
      this.#count = 0;
    } else if (errno !== undefined) {
      throw explainFor(this.#target, errno, "read a batch of elements");
    }
    return true;
  }

  release(): void {
    this.#batch.release();
  }
}
