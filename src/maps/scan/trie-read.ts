import { BatchCalls } from "../../kernel/index.js";
import { whileContended } from "../retry.js";
import { compareTriePosition } from "./key-order.js";
import { explainFor, type ScanTarget } from "./scan-target.js";

/** One read of a stretch of a trie, and how far along the trie it has seen everything. */
export class TrieRead {
  readonly #target: ScanTarget;
  readonly #batch: BatchCalls;
  #furthest = -1;
  #isLast = false;
  #fellBack = false;

  constructor(target: ScanTarget, stretch: number) {
    const { keySize, valueStride } = target.layout;
    this.#target = target;
    this.#batch = new BatchCalls(target.fd, keySize, valueStride, stretch);
  }

  get count(): number {
    return this.#batch.count;
  }

  get keys(): Buffer {
    return this.#batch.keys;
  }

  get values(): Buffer {
    return this.#batch.values;
  }

  /** Whether the kernel said that this was the end. */
  get isLast(): boolean {
    return this.#isLast;
  }

  /** Whether the kernel went back to the first key, because the one it stood on was gone. */
  get fellBack(): boolean {
    return this.#fellBack;
  }

  /** Whether another read gave the same keys. */
  isLike({ count, keys }: TrieRead): boolean {
    const length = count * this.#target.layout.keySize;
    return this.count === count && this.keys.compare(keys, 0, length, 0, length) === 0;
  }

  /** Reads what comes after a key, or from the start. */
  readAfter(key: Uint8Array | undefined): void {
    if (key) this.#batch.seek(key);
    const errno = whileContended(() => this.#batch.lookup());
    this.#isLast = errno === "ENOENT";
    if (errno !== undefined && !this.#isLast) {
      throw explainFor(this.#target, errno, "read a batch of elements");
    }
    this.#look(key);
  }

  /** The key that the walk stands on after this read. */
  lastKey(): Buffer {
    return this.#key(this.count - 1);
  }

  /** The furthest key: all up to it has been read. Undefined where that is all there is. */
  reach(): Buffer | undefined {
    return this.#isLast ? undefined : this.#key(this.#furthest);
  }

  release(): void {
    this.#batch.release();
  }

  #look(after: Uint8Array | undefined): void {
    this.#furthest = 0;
    this.#fellBack = false;
    let before: Buffer | undefined = after && Buffer.from(after);
    for (let index = 0; index < this.count; index++) {
      const key = this.#key(index);
      if (before && compareTriePosition(key, 0, before, 0) <= 0) this.#fellBack = true;
      if (compareTriePosition(key, 0, this.#key(this.#furthest), 0) > 0) this.#furthest = index;
      before = key;
    }
  }

  #key(index: number): Buffer {
    const { keySize } = this.#target.layout;
    return this.keys.subarray(index * keySize, (index + 1) * keySize);
  }
}
