import { compareNumbers, greater, lesser } from "./bigints.js";

/** What one host tells of its keys: those that have most, and a bound on the others. */
export interface HostKeys {
  /** Each key once, with its number. */
  readonly keys: readonly {
    readonly key: Uint8Array;
    readonly json?: string | undefined;
    readonly number: bigint;
  }[];
  /** The greatest number of the keys that are not told; undefined where all are. */
  readonly othersMax: bigint | undefined;
  /** A number that none of them is below; counts where there are such keys. */
  readonly othersMin: bigint;
}

/** A key and what is known of its sum over the hosts. */
export interface KeySum {
  readonly key: Uint8Array;
  readonly json: string | undefined;
  /** The sum lies between these two; it is known where they are equal. */
  readonly atLeast: bigint;
  readonly atMost: bigint;
  /** Hosts that told the key. */
  readonly hosts: number;
}

/** Keys with the greatest sums. */
export interface TopSums {
  /** By descending `atLeast`, then `atMost`, then by the keys' bytes. */
  readonly keys: readonly KeySum[];
  /** No key that is not told has more; undefined where all are told. */
  readonly othersMax: bigint | undefined;
}

/** Between which two numbers one lies. */
interface Interval {
  readonly low: bigint;
  readonly high: bigint;
}

interface Entry {
  readonly key: Uint8Array;
  json: string | undefined;
  /** Bounds of the sum over the hosts that told the key. */
  low: bigint;
  high: bigint;
  /** What the bounds of a key that they do not tell would be. */
  otherLow: bigint;
  otherHigh: bigint;
  hosts: number;
}

/** Keys to have room for where only a few are asked for. */
const LEAST_ROOM = 16_384;
const ROOM_FACTOR = 4;

/**
 * Adds up numbers by key over hosts that each tell only the keys that have most.
 *
 * Of a key that a host does not tell it is known that its number there is no greater than
 * the greatest that was left out, and 0 where the key is not there: so each sum is known to
 * lie in an interval. As long as all keys have room the result does not depend on the
 * order or the grouping in which hosts are added. Where they have not, those that cannot
 * have much are forgotten, and the bounds grow by what they may have had.
 */
export class KeySums {
  readonly #room: number;
  readonly #entries = new Map<string, Entry>();
  /** Bounds of the sum of a key that nobody told. */
  #others: Interval = { low: 0n, high: 0n };
  /** Whether there can be keys that nobody told. */
  #hasOthers = false;

  /** @param limit how many keys will be asked for */
  constructor(limit: number, room = Math.max(LEAST_ROOM, limit * ROOM_FACTOR)) {
    this.#room = room;
  }

  /** Keys in memory. */
  get size(): number {
    return this.#entries.size;
  }

  /** Adds what a host tells. */
  add({ keys, othersMax, othersMin }: HostKeys): void {
    const others = othersMax === undefined ? NOTHING : aroundZero(othersMin, othersMax);
    for (const { key, json, number } of keys) {
      this.#put({
        key,
        json,
        low: number,
        high: number,
        otherLow: others.low,
        otherHigh: others.high,
        hosts: 1,
      });
    }
    this.#addOthers(others, othersMax !== undefined);
  }

  /** Adds what has been added up elsewhere. */
  merge(from: KeySums): void {
    for (const entry of from.#entries.values()) this.#put({ ...entry });
    this.#addOthers(from.#others, from.#hasOthers);
  }

  /** The keys with the greatest sums. */
  top(limit: number): TopSums {
    const sums = [...this.#entries.values()].map((entry) => this.#sumOf(entry)).sort(compareSums);
    const rest = sums.slice(limit).map(({ atMost }) => atMost);
    if (this.#hasOthers) rest.push(this.#others.high);
    return { keys: sums.slice(0, limit), othersMax: greatest(rest) };
  }

  #put(entry: Entry): void {
    const id = idOf(entry.key);
    const known = this.#entries.get(id);
    if (!known) {
      this.#entries.set(id, entry);
      return;
    }
    known.low += entry.low;
    known.high += entry.high;
    known.otherLow += entry.otherLow;
    known.otherHigh += entry.otherHigh;
    known.hosts += entry.hosts;
    known.json = lesserText(known.json, entry.json);
  }

  #addOthers({ low, high }: Interval, hasOthers: boolean): void {
    this.#others = { low: this.#others.low + low, high: this.#others.high + high };
    this.#hasOthers ||= hasOthers;
    if (this.#entries.size > this.#room) this.#forget();
  }

  #sumOf({ key, json, low, high, otherLow, otherHigh, hosts }: Entry): KeySum {
    return {
      key,
      json,
      atLeast: low + this.#others.low - otherLow,
      atMost: high + this.#others.high - otherHigh,
      hosts,
    };
  }

  /** Keeps half the keys that there is room for, those that may have most. */
  #forget(): void {
    let { low, high } = this.#others;
    const isKept = this.#mostOf(this.#room >> 1);
    for (const [id, entry] of this.#entries) {
      const { atLeast, atMost } = this.#sumOf(entry);
      if (isKept(atMost)) {
        entry.low = atLeast;
        entry.high = atMost;
      } else {
        low = lesser(low, atLeast);
        high = greater(high, atMost);
        this.#entries.delete(id);
      }
    }
    this.#others = { low, high };
    this.#hasOthers = true;
    for (const entry of this.#entries.values()) {
      entry.otherLow = low;
      entry.otherHigh = high;
    }
  }

  /**
   * Tells of upper bounds, once of each entry, whether they are among the greatest. They are
   * compared as floats, which is quick, and may mistake numbers that are nearly the same.
   */
  #mostOf(count: number): (atMost: bigint) => boolean {
    const bounds = new Float64Array(this.#entries.size);
    let at = 0;
    for (const entry of this.#entries.values()) bounds[at++] = Number(this.#sumOf(entry).atMost);
    bounds.sort();
    const least = bounds[bounds.length - count] as number;
    let equal = count - (bounds.length - (bounds.findLastIndex((bound) => bound <= least) + 1));
    return (atMost) => {
      const bound = Number(atMost);
      return bound > least || (bound === least && equal-- > 0);
    };
  }
}

const NOTHING: Interval = { low: 0n, high: 0n };

/** What a key may have where it is not told: one of these numbers, or it is not there. */
function aroundZero(low: bigint, high: bigint): Interval {
  return { low: lesser(0n, low), high: greater(0n, high) };
}

function idOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

function compareSums(a: KeySum, b: KeySum): number {
  return (
    compareNumbers(b.atLeast, a.atLeast) ||
    compareNumbers(b.atMost, a.atMost) ||
    Buffer.compare(a.key, b.key)
  );
}

function greatest(numbers: readonly bigint[]): bigint | undefined {
  return numbers.length === 0 ? undefined : numbers.reduce(greater);
}

/** Of two hosts' texts of one key, which may differ with their types, always the same. */
function lesserText(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b < a ? b : a;
}
