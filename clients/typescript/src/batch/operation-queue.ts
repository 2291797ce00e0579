import { isAlike, type Operation } from "./operation.js";

/** Bounds of one request. */
export interface BatchLimits {
  /** Most operations. */
  readonly operations: number;
  /** Most bytes of keys and values, of the request and of its answer. */
  readonly bytes: number;
}

/**
 * Operations in the order in which they were called. A batch takes what is alike from
 * the whole queue, as long as nobody can tell: a lookup overtakes no write of its key,
 * and a write overtakes neither another write nor a lookup of its key.
 */
export class OperationQueue {
  #waiting: Operation[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(operation: Operation): void {
    this.#waiting.push(operation);
  }

  /** Takes one out that was not sent yet; false where it was. */
  remove(operation: Operation): boolean {
    const at = this.#waiting.indexOf(operation);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    return true;
  }

  /** The next batch: the first operation and those that can go with it. */
  take(limits: BatchLimits, bytesOf: (operation: Operation) => number): Operation[] {
    const batch: Operation[] = [];
    const left: Operation[] = [];
    const passed = new PassedOver();
    let bytes = 0;
    for (const operation of this.#waiting) {
      const size = bytesOf(operation);
      const fits =
        batch.length === 0 || (batch.length < limits.operations && bytes + size <= limits.bytes);
      const first = batch[0] ?? operation;
      if (fits && isAlike(first.what, operation.what) && passed.allows(operation)) {
        batch.push(operation);
        bytes += size;
      } else {
        left.push(operation);
        passed.add(operation);
      }
    }
    this.#waiting = left;
    return batch;
  }
}

/** What a batch left in the queue, which later operations may not overtake. */
class PassedOver {
  readonly #lookups = new Set<string>();
  readonly #writes = new Set<string>();

  add({ what, key }: Operation): void {
    (what.kind === "lookup" ? this.#lookups : this.#writes).add(nameOf(key));
  }

  allows({ what, key }: Operation): boolean {
    if (what.kind === "lookup") return this.#writes.size === 0 || !this.#writes.has(nameOf(key));
    return this.#writes.size === 0 && !this.#lookups.has(nameOf(key));
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
