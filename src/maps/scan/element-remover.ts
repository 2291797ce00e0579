import { BatchCalls, ElementCalls, type Errno } from "../../kernel/index.js";
import { DELETE_ELEMENT, isAbsent } from "../explain.js";
import { whileContended } from "../retry.js";
import { explainFor, type ScanTarget } from "./scan-target.js";
import { stretchFor } from "./stretch.js";

/** Deletes elements by columns of keys; a key that is gone already is passed over. */
export class ElementRemover {
  readonly #target: ScanTarget;
  readonly #calls: ElementCalls;
  readonly #batch: BatchCalls | undefined;

  constructor(target: ScanTarget) {
    const { fd, layout } = target;
    this.#target = target;
    this.#calls = new ElementCalls(fd, layout.keySize, 0);
    if (target.deleteBatch) {
      this.#batch = new BatchCalls(fd, layout.keySize, layout.valueStride, stretchFor(layout));
    }
  }

  /** Elements of one call of the kernel's. */
  get stretch(): number {
    return this.#batch?.capacity ?? 256;
  }

  /** Deletes `count` keys of a column from number `from` on; answers how many were there. */
  remove(keys: Buffer, from: number, count: number): number {
    let removed = 0;
    for (let done = 0; done < count; ) {
      const some = Math.min(this.stretch, count - done);
      const batched = this.#batch ? this.#removeBatch(this.#batch, keys, from + done, some) : 0;
      removed += batched;
      done += batched;
      if (batched === some) continue;
      // The batch stopped at this one: alone, it tells why.
      if (this.#removeOne(keys, from + done)) removed++;
      done++;
    }
    return removed;
  }

  /** Gives the memory back. */
  release(): void {
    this.#calls.release();
    this.#batch?.release();
  }

  #removeBatch(batch: BatchCalls, keys: Buffer, from: number, count: number): number {
    const { keySize } = this.#target.layout;
    keys.copy(batch.keys, 0, from * keySize, (from + count) * keySize);
    const errno = batch.delete(count);
    if (errno === undefined) return count;
    // A call that fails before its first key leaves count as it was given.
    return batch.count < count ? batch.count : 0;
  }

  #removeOne(keys: Buffer, index: number): boolean {
    const { keySize } = this.#target.layout;
    keys.copy(this.#calls.key, 0, index * keySize, (index + 1) * keySize);
    const errno: Errno | undefined = whileContended(() => this.#calls.delete());
    if (errno === undefined) return true;
    if (isAbsent(errno, this.#target.layout.type)) return false;
    throw explainFor(this.#target, errno, DELETE_ELEMENT);
  }
}
