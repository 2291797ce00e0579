/**
 * The items of chunks, one by one. Written by hand because an async generator spends
 * several turns of the microtask queue on each item, and there are millions of them.
 */
export abstract class ItemIterator<Chunk, Item> implements AsyncIterableIterator<Item, undefined> {
  readonly #chunks: AsyncIterableIterator<Chunk, undefined>;
  /** The last next() that has to wait for a chunk; later ones queue behind it. */
  #tail: Promise<IteratorResult<Item, undefined>> | undefined;

  constructor(chunks: AsyncIterableIterator<Chunk, undefined>) {
    this.#chunks = chunks;
  }

  /** The next item of the chunk that is held; undefined where it has no more. */
  protected abstract heldItem(): Item | undefined;

  /** Holds a chunk instead; answers what has to be told before its items, if anything. */
  protected abstract hold(chunk: Chunk): Item | undefined;

  /** Holds nothing any more. */
  protected abstract drop(): void;

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    const item = this.#tail === undefined ? this.heldItem() : undefined;
    if (item !== undefined) return Promise.resolve({ done: false, value: item });
    const take = () => this.#take();
    const result = this.#tail === undefined ? take() : this.#tail.then(take, take);
    this.#tail = result;
    const leave = () => {
      if (this.#tail === result) this.#tail = undefined;
    };
    result.then(leave, leave);
    return result;
  }

  /** Cancels the call, unless it is over. */
  async return(): Promise<IteratorResult<Item, undefined>> {
    this.drop();
    await this.#chunks.return!();
    return { done: true, value: undefined };
  }

  /** Cancels the call and throws the error back. */
  async throw(error: unknown): Promise<IteratorResult<Item, undefined>> {
    await this.return();
    throw error;
  }

  async #take(): Promise<IteratorResult<Item, undefined>> {
    let item = this.heldItem();
    while (item === undefined) {
      const { done, value } = await this.#chunks.next();
      if (done) return { done: true, value: undefined };
      item = this.hold(value) ?? this.heldItem();
    }
    return { done: false, value: item };
  }
}
