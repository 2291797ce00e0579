import type { Clock } from "#dist/fleet/index.js";

/** A clock that goes only where it is told to; who sleeps wakes at once. */
export class FakeClock implements Clock {
  #now = 0;

  now(): number {
    return this.#now;
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.#now += ms;
  }

  async sleep(ms: number): Promise<void> {
    this.#now += ms;
    await new Promise((resolve) => setImmediate(resolve));
  }

  random(): number {
    return Math.random();
  }
}
