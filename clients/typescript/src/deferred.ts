/** A promise to be settled from outside. Its rejection may go unnoticed: nobody has to await it. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  /** Settles the promise, unless it is settled. */
  resolve!: (value: T) => void;
  /** Settles the promise, unless it is settled. */
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => {});
  }
}
