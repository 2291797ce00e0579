import { KeyIndex } from "../maps/index.js";

/** What was told of a key since the last whole walk, and what that walk then met. */
export interface Touched {
  /** The value that was told; undefined for a delete. */
  told: Buffer | undefined;
  /** Whether the walk that runs began after the key was touched last. */
  isOld: boolean;
  /** What the walk that runs has met; undefined where it has not met the key. */
  met: Buffer | undefined;
}

/**
 * Keys that were told outside of a walk, because the service wrote them. The shadow may
 * hold something older for them until a whole walk has passed that began later, so the
 * walk compares them with what was told instead.
 */
export class TouchedKeys {
  readonly #keySize: number;
  #index: KeyIndex;
  #entries: Touched[] = [];

  constructor(keySize: number) {
    this.#keySize = keySize;
    this.#index = new KeyIndex(keySize);
  }

  /** Whether there are none. */
  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** What is known of a key; undefined where it was not touched. */
  find(keys: Buffer, at: number): Touched | undefined {
    return this.isEmpty ? undefined : this.#entries[this.#index.find(keys, at)];
  }

  /** Notes what was told of a key. */
  tell(keys: Buffer, at: number, told: Buffer | undefined): void {
    const number = this.#index.add(keys, at);
    const met = this.#entries[number]?.met;
    this.#entries[number] = { told: told && Buffer.from(told), isOld: false, met };
  }

  /** Starts a walk. */
  startWalk(): void {
    for (const entry of this.#entries) {
      entry.isOld = true;
      entry.met = undefined;
    }
  }

  /** Ends a walk: calls back for each key that the walk settles, and forgets those. */
  finishWalk(onSettled: (keys: Buffer, keyAt: number, entry: Touched) => void): void {
    const [index, entries] = [this.#index, this.#entries];
    this.#index = new KeyIndex(this.#keySize);
    this.#entries = [];
    for (const [number, entry] of entries.entries()) {
      const at = number * this.#keySize;
      if (entry.isOld) onSettled(index.keys, at, entry);
      else this.#entries[this.#index.add(index.keys, at)] = entry;
    }
  }

  /** Calls back for each key. */
  visit(use: (keys: Buffer, keyAt: number, entry: Touched) => void): void {
    for (const [number, entry] of this.#entries.entries()) {
      use(this.#index.keys, number * this.#keySize, entry);
    }
  }
}
