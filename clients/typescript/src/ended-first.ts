/**
 * An iterator over a generator that waits for the daemon, perhaps for ever. A generator
 * answers return() only after the next() before it, so `end` ends the call first.
 */
export function endedFirst<T>(
  items: AsyncGenerator<T, undefined>,
  end: () => void,
): AsyncIterableIterator<T, undefined> {
  return {
    next: () => items.next(),
    return: () => {
      end();
      return items.return(undefined);
    },
    throw: async (error) => {
      end();
      await items.return(undefined);
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
