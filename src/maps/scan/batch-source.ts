import { BatchCalls } from "../../kernel/index.js";
import { whileContended } from "../retry.js";
import type { ElementSource, WalkOptions, WalkStats } from "./element-source.js";
import { TrieProgress } from "./key-order.js";
import { explainFor, type ScanTarget } from "./scan-target.js";

/**
 * A walk by BPF_MAP_LOOKUP_BATCH.
 *
 * Hashes are read bucket by bucket, each whole under its lock, and arrays by index, so
 * neither can repeat or miss an element. Tries are read by key: where the key that the
 * kernel stands on is deleted, it starts again, and {@link TrieProgress} drops what was
 * passed.
 */
export class BatchSource implements ElementSource {
  readonly stats: WalkStats = { restarts: 0, duplicatesDropped: 0 };
  readonly #target: ScanTarget;
  readonly #options: WalkOptions;
  readonly #batch: BatchCalls;
  readonly #progress: TrieProgress | undefined;
  #count = 0;
  #ended = false;

  constructor(target: ScanTarget, options: WalkOptions) {
    const { keySize, valueStride } = target.layout;
    this.#target = target;
    this.#options = options;
    this.#batch = new BatchCalls(target.fd, keySize, valueStride, options.stretch);
    this.#progress = target.keyKind === "prefix" ? new TrieProgress(keySize) : undefined;
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
    if (this.#progress) this.#dropPassed(this.#progress);
    return true;
  }

  release(): void {
    this.#batch.release();
  }

  /** Moves the elements that are new to the front of the columns. */
  #dropPassed(progress: TrieProgress): void {
    const { keySize, valueStride } = this.#target.layout;
    const { keys, values } = this.#batch;
    let kept = 0;
    for (let index = 0; index < this.#count; index++) {
      if (!progress.advance(keys, index * keySize)) continue;
      if (kept < index) {
        keys.copyWithin(kept * keySize, index * keySize, (index + 1) * keySize);
        values.copyWithin(kept * valueStride, index * valueStride, (index + 1) * valueStride);
      }
      kept++;
    }
    this.stats.duplicatesDropped += this.#count - kept;
    this.stats.restarts = progress.restarts;
    this.#count = kept;
    if (this.stats.restarts <= this.#options.maxRestarts || this.#ended) return;
    this.stats.incomplete = "restarts";
    this.#ended = true;
  }
}
