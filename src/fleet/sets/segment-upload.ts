import { LIMITS, put, type Store, scan } from "../store/index.js";
import { segmentName } from "./segment.js";
import type { SegmentCache } from "./segment-cache.js";
import { setKeys } from "./set-keys.js";

/** Bytes of segments to write in one transaction, and transactions under way at a time. */
const TRANSACTION_BYTES = 768 * 1024;
const TRANSACTIONS = 4;

/** Writes segments of one set that the store does not have yet, several at a time. */
export class SegmentUpload {
  readonly #store: Store;
  readonly #name: string;
  readonly #cache: SegmentCache;
  readonly #signal: AbortSignal | undefined;
  /** Hashes of what is there, or on its way. */
  readonly #there = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #batch: { hash: string; bytes: Uint8Array }[] = [];
  #batchBytes = 0;
  #failure: { error: unknown } | undefined;

  constructor(store: Store, name: string, cache: SegmentCache, signal?: AbortSignal) {
    this.#store = store;
    this.#name = name;
    this.#cache = cache;
    this.#signal = signal;
  }

  /** Learns which segments the store has, so that they are not written again. */
  async learn(): Promise<void> {
    const range = setKeys.segments(this.#name);
    const query = { range, keysOnly: true, limit: LIMITS.rangeEntries };
    for await (const { entries } of scan(this.#store, query, this.#signal)) {
      for (const { key } of entries) this.#there.add(setKeys.splitSegment(key).hash);
    }
  }

  /** Writes a segment, in its time; answers its hash. Throws what an earlier one failed with. */
  async add(bytes: Uint8Array): Promise<string> {
    if (this.#failure) throw this.#failure.error;
    const hash = segmentName(bytes);
    if (this.#there.has(hash)) return hash;
    this.#there.add(hash);
    this.#cache.add(hash, bytes);
    const isFull =
      this.#batchBytes + bytes.length > TRANSACTION_BYTES ||
      this.#batch.length >= LIMITS.operations;
    if (isFull) await this.#send();
    this.#batch.push({ hash, bytes });
    this.#batchBytes += bytes.length;
    return hash;
  }

  /** Settles when everything is in the store. */
  async end(): Promise<void> {
    await this.#send();
    await Promise.all(this.#underWay);
    if (this.#failure) throw this.#failure.error;
  }

  async #send(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    if (batch.length === 0) return;
    while (this.#underWay.size >= TRANSACTIONS) await Promise.race(this.#underWay);
    const success = batch.map(({ hash, bytes }) => put(setKeys.segment(this.#name, hash), bytes));
    const sent = this.#store
      .transact({ success }, { signal: this.#signal })
      .then(
        () => {},
        (error) => {
          this.#failure ??= { error };
        },
      )
      .finally(() => this.#underWay.delete(sent));
    this.#underWay.add(sent);
  }
}
