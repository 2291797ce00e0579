import { TokenBucket } from "limiter";

/** A rate that is kept over a second, with bursts of up to a second's worth. */
export class Rate {
  #bucket: TokenBucket | undefined;

  /**
   * Takes so many at once; answers 0, or where the second's worth is used up, in how many
   * milliseconds one more can be had. What is asked for at once may be more than a second's
   * worth: then it is owed, and the next has to wait for longer.
   *
   * @param perSecond whole number from 1; not infinite
   */
  take(count: number, perSecond: number): number {
    const bucket = this.#bucketOf(perSecond);
    const waitMs = bucket.getWaitTime(1);
    if (waitMs === 0) bucket.content -= count;
    return waitMs;
  }

  /** Whether nothing of the second's worth is used, so that nothing need be remembered. */
  get isFull(): boolean {
    if (!this.#bucket) return true;
    this.#bucket.drip();
    return this.#bucket.content >= this.#bucket.bucketSize;
  }

  /** A new rate begins with a second's worth. */
  #bucketOf(perSecond: number): TokenBucket {
    if (this.#bucket?.bucketSize !== perSecond) {
      this.#bucket = new TokenBucket({
        ...{ bucketSize: perSecond, tokensPerInterval: perSecond, interval: "second" },
      });
      this.#bucket.content = perSecond;
    }
    return this.#bucket;
  }
}
