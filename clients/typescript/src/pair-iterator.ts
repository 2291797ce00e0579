import type { Elements } from "./gen/bpfmap/v1/element_pb.js";

type Pair = [key: Uint8Array, value: Uint8Array];
type PairResult = IteratorResult<Pair, undefined>;

/**
 * The elements of chunks, one by one, as views of their columns. Written by hand
 * because an async generator spends several turns of the microtask queue on each
 * element, and dumps have millions of them.
 */
export class PairIterator implements AsyncIterableIterator<Pair, undefined> {
  readonly #chunks: AsyncIterableIterator<Elements, undefined>;
  #keys: Uint8Array = new Uint8Array();
  #values: Uint8Array = new Uint8Array();
  #keySize = 0;
  #valueSize = 0;
  #count = 0;
  #index = 0;
  /** The last next() that has to wait for a chunk; later ones queue behind it. */
  #tail: Promise<PairResult> | undefined;

  constructor(chunks: AsyncIterableIterator<Elements, undefined>) {
    this.#chunks = chunks;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<PairResult> {
    if (this.#tail === undefined && this.#index < this.#count) {
      return Promise.resolve({ done: false, value: this.#pair() });
    }
    const take = () => this.#take();
    const result = this.#tail === undefined ? take() : this.#tail.then(take, take);
    this.#tail = result;
    const leave = () => {
      if (this.#tail === result) this.#tail = undefined;
    };
    result.then(leave, leave);
    return result;
  }

  /** Cancels the dump, unless it is over. */
  async return(): Promise<PairResult> {
    this.#count = 0;
    await this.#chunks.return!();
    return { done: true, value: undefined };
  }

  /** Cancels the dump and throws the error back. */
  async throw(error: unknown): Promise<PairResult> {
    await this.return();
    throw error;
  }

  async #take(): Promise<PairResult> {
    if (this.#index >= this.#count) {
      const { done, value } = await this.#chunks.next();
      if (done) return { done: true, value: undefined };
      this.#keys = value.keys;
      this.#values = value.values;
      this.#keySize = value.keys.length / value.count;
      this.#valueSize = value.values.length / value.count;
      this.#count = value.count;
      this.#index = 0;
    }
    return { done: false, value: this.#pair() };
  }

  #pair(): Pair {
    const key = this.#index * this.#keySize;
    const value = this.#index * this.#valueSize;
    this.#index += 1;
    return [
      this.#keys.subarray(key, key + this.#keySize),
      this.#values.subarray(value, value + this.#valueSize),
    ];
  }
}
