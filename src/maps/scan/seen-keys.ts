import { KeyIndex } from "./key-index.js";
import type { WalkProgress } from "./walk-progress.js";

/** Remembers every key of a walk whose order tells nothing, such as a hash's. */
export class SeenKeys implements WalkProgress {
  restarts = 0;
  readonly #index: KeyIndex;
  /** Number of the last key that came again: numbers grow until the next restart. */
  #repeated = Number.POSITIVE_INFINITY;

  constructor(keySize: number) {
    this.#index = new KeyIndex(keySize);
  }

  get bytes(): number {
    return this.#index.bytes;
  }

  advance(keys: Buffer, at: number): boolean {
    const next = this.#index.size;
    const number = this.#index.add(keys, at);
    if (number === next) return true;
    // Not "after a new key": elements that were added meanwhile stand between those of
    // a lap that goes on.
    if (number <= this.#repeated) this.restarts++;
    this.#repeated = number;
    return false;
  }
}
