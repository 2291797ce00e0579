/** Items that one side adds and the other iterates over. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #isClosed = false;
  #wake: () => void = () => {};

  /** Adds an item. */
  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** Ends the iteration once the items before are taken. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else if (this.#isClosed) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
