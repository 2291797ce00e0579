/** How fast one element changes. */
export interface Rate {
  readonly key: Uint8Array;
  readonly value: bigint;
  /** By how much it grew a second; negative where it became smaller. */
  readonly perSecond: number;
}

interface Counter {
  readonly key: Uint8Array;
  value: bigint;
  /** The value at the last measurement. */
  before: bigint;
}

/** The counters of a map and how fast they change from one measurement to the next. */
export class RateTable {
  readonly #bits: number;
  readonly #counters = new Map<string, Counter>();
  #measuredAt: number | undefined;

  /** @param bits of a counter, which begins anew after its largest value */
  constructor(bits: number) {
    this.#bits = bits;
  }

  /** Elements there are. */
  get size(): number {
    return this.#counters.size;
  }

  /** Notes the value of an element. One that is new began at zero, unless it was there before us. */
  set(key: Uint8Array, value: bigint, isInitial: boolean): void {
    const name = Buffer.from(key).toString("latin1");
    const counter = this.#counters.get(name);
    if (counter) counter.value = value;
    else this.#counters.set(name, { key, value, before: isInitial ? value : 0n });
  }

  /** Notes that an element is gone. */
  delete(key: Uint8Array): void {
    this.#counters.delete(Buffer.from(key).toString("latin1"));
  }

  /** Forgets everything. */
  clear(): void {
    this.#counters.clear();
    this.#measuredAt = undefined;
  }

  /**
   * The rates since the last measurement, fastest first, of what has changed; undefined at
   * the first one.
   *
   * @param now when the values were seen, in milliseconds
   */
  measure(now: number): Rate[] | undefined {
    const seconds = this.#measuredAt === undefined ? 0 : (now - this.#measuredAt) / 1000;
    this.#measuredAt = now;
    const rates: Rate[] = [];
    for (const counter of this.#counters.values()) {
      const { key, value, before } = counter;
      counter.before = value;
      if (value === before || seconds <= 0) continue;
      // A step of more than half the range is one back.
      const step = BigInt.asIntN(this.#bits, value - before);
      rates.push({ key, value, perSecond: Number(step) / seconds });
    }
    if (seconds <= 0) return undefined;
    return rates.sort((a, b) => Math.abs(b.perSecond) - Math.abs(a.perSecond));
  }
}
