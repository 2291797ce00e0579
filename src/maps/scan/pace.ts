import { setTimeout as sleep } from "node:timers/promises";

/** Holds a walk to a number of elements a second. */
export class Pace {
  readonly #perSecond: number;
  readonly #started = performance.now();

  /** @param perSecond 0 for no limit */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Most elements to read at once, so that the pace is even: a tenth of a second's. */
  get stretch(): number {
    return this.#perSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(1, this.#perSecond / 10);
  }

  /** Waits until `done` elements are not too many; a tenth of a second at most. */
  async wait(done: number): Promise<boolean> {
    if (this.#perSecond === 0) return false;
    const due = this.#started + (done / this.#perSecond) * 1000;
    const early = due - performance.now();
    if (early <= 0) return false;
    await sleep(Math.min(early, 100));
    return early > 100;
  }
}
