import { asBigint, compareWords, newWords, type Words } from "./wide-number.js";

/** What numbers come to; plain data. */
export interface NumberTotals {
  readonly count: number;
  readonly sum: bigint;
  /** Undefined for no numbers. */
  readonly min: bigint | undefined;
  readonly max: bigint | undefined;
  /** Undefined where it was not asked for. */
  readonly histogram: Log2Counts | undefined;
}

/** How many numbers are how large. */
export interface Log2Counts {
  /** Numbers below 0. */
  readonly negative: number;
  /** Of 0, then of [1, 2), [2, 4), [4, 8) and so on, to the last that is not 0. */
  readonly buckets: number[];
}

/** Sums of words stay exact below 2^53; a word has at most 2^45. */
const EXACT = 2 ** 52;
/** More than the bits of any number. */
const BUCKETS = 128;
const TWO_32 = 2 ** 32;

/** Folds numbers one by one, without an allocation for each. */
export class NumberFold {
  #count = 0;
  #sum = 0n;
  /** What is not in the sum yet: each word added up by itself. */
  readonly #pending = newWords();
  readonly #min = newWords();
  readonly #max = newWords();
  readonly #buckets: Float64Array | undefined;
  #negative = 0;

  constructor(histogram: boolean) {
    this.#buckets = histogram ? new Float64Array(BUCKETS) : undefined;
  }

  add(number: Words): void {
    const high = number[0] as number;
    const low = number[1] as number;
    if (this.#count === 0 || compareWords(number, this.#min) < 0) this.#min.set(number);
    if (this.#count === 0 || compareWords(number, this.#max) > 0) this.#max.set(number);
    this.#count++;
    const pending = this.#pending;
    const sumHigh = (pending[0] as number) + high;
    const sumLow = (pending[1] as number) + low;
    pending[0] = sumHigh;
    pending[1] = sumLow;
    if (sumHigh > EXACT || sumHigh < -EXACT || sumLow > EXACT) this.#settle();
    if (this.#buckets) this.#spread(this.#buckets, high, low);
  }

  totals(): NumberTotals {
    this.#settle();
    const isEmpty = this.#count === 0;
    return {
      count: this.#count,
      sum: this.#sum,
      min: isEmpty ? undefined : asBigint(this.#min),
      max: isEmpty ? undefined : asBigint(this.#max),
      histogram: this.#buckets && {
        negative: this.#negative,
        buckets: withoutTail(this.#buckets),
      },
    };
  }

  #settle(): void {
    this.#sum += asBigint(this.#pending);
    this.#pending.fill(0);
  }

  #spread(buckets: Float64Array, high: number, low: number): void {
    if (high < 0) {
      this.#negative++;
      return;
    }
    const bits = high > 0 ? 32 + bitLength(high) : bitLength(low);
    buckets[bits] = (buckets[bits] as number) + 1;
  }
}

/** Of a whole number below 2^53. */
function bitLength(number: number): number {
  return number < TWO_32 ? 32 - Math.clz32(number) : 64 - Math.clz32(number / TWO_32);
}

function withoutTail(buckets: Float64Array): number[] {
  const last = buckets.findLastIndex((count) => count > 0);
  return Array.from(buckets.subarray(0, last + 1));
}
