import { compareKeys, type Elements } from "../sets/index.js";
import type { Keys } from "./target-map.js";

/** Keys of earlier contents that later ones do not have; both in the order of their keys. */
export async function* droppedKeys(
  earlier: AsyncIterable<Elements>,
  later: AsyncIterable<Elements>,
  keySize: number,
): AsyncGenerator<Keys> {
  const kept = new KeyCursor(later, keySize);
  try {
    await kept.begin();
    for await (const { count, keys } of earlier) {
      const dropped = new Uint8Array(count * keySize);
      let found = 0;
      for (let index = 0; index < count; index++) {
        const at = index * keySize;
        if (await kept.has(keys, at)) continue;
        dropped.set(keys.subarray(at, at + keySize), found++ * keySize);
      }
      if (found > 0) yield { count: found, keys: dropped.subarray(0, found * keySize) };
    }
  } finally {
    await kept.end();
  }
}

/** A place in sorted elements, which goes on as it is asked for greater and greater keys. */
class KeyCursor {
  readonly #chunks: AsyncIterator<Elements>;
  readonly #keySize: number;
  #chunk: Elements | undefined;
  #index = 0;

  constructor(elements: AsyncIterable<Elements>, keySize: number) {
    this.#chunks = elements[Symbol.asyncIterator]();
    this.#keySize = keySize;
  }

  async begin(): Promise<void> {
    await this.#next();
  }

  async has(keys: Uint8Array, at: number): Promise<boolean> {
    while (this.#chunk !== undefined) {
      const size = this.#keySize;
      const order = compareKeys(this.#chunk.keys, this.#index * size, keys, at, size);
      if (order >= 0) return order === 0;
      if (++this.#index === this.#chunk.count) await this.#next();
    }
    return false;
  }

  async end(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #next(): Promise<void> {
    this.#index = 0;
    do {
      const step = await this.#chunks.next();
      this.#chunk = step.done ? undefined : step.value;
    } while (this.#chunk?.count === 0);
  }
}
