import { type Clock, systemClock } from "../clock.js";
import { isAt, LIMITS, put, remove, type Store, scan } from "../store/index.js";
import { decodeManifest } from "./manifest.js";
import { decodePage } from "./segment-index.js";
import { setKeys } from "./set-keys.js";
import { readState, type SetState } from "./set-state.js";
import { StoreSegments } from "./store-segments.js";

/** How a {@link Collector} is set up. */
export interface CollectorOptions {
  /**
   * How long a segment stays that no manifest names, in milliseconds: for readers of an earlier
   * generation, and for writers that are about to name it. Default 10 minutes.
   */
  readonly graceMs?: number;
  readonly clock?: Clock;
}

const GRACE_MS = 10 * 60 * 1000;
/** Segments removed by one transaction; it has the mark, too. */
const AT_A_TIME = LIMITS.operations - 1;
const NOTHING = new Uint8Array(0);

/** A segment as the store has it. */
interface Stored {
  readonly hash: string;
  readonly key: string;
  readonly modRevision: bigint;
}

/**
 * Removes segments that no manifest names, kept generations included, once they have been so for
 * a while. Several may run at once, beside writers.
 *
 * A writer that is about to name a segment which is collected is told: each removal writes the
 * set's mark, and compares the manifest; each commit of a manifest compares the mark. So one of
 * the two comes too late, and begins anew. The mark is never removed, since a writer could not
 * tell one that is gone from one that never was.
 */
export class Collector {
  readonly #store: Store;
  readonly #graceMs: number;
  readonly #clock: Clock;
  /** Since when a write of a segment has not been named. */
  #unnamed = new Map<string, { readonly modRevision: bigint; readonly since: number }>();

  constructor(store: Store, { graceMs = GRACE_MS, clock = systemClock }: CollectorOptions = {}) {
    this.#store = store;
    this.#graceMs = graceMs;
    this.#clock = clock;
  }

  /** Looks at all sets once; answers how many segments it removed. Call it every minute or so. */
  async run(signal?: AbortSignal): Promise<number> {
    const bySet = await this.#stored(signal);
    const before = this.#unnamed;
    this.#unnamed = new Map();
    let removed = 0;
    for (const [name, stored] of bySet) {
      const state = await readState(this.#store, name, signal);
      const named = await this.#named(state, signal);
      const unnamed = stored.filter(({ hash }) => !named.has(hash));
      const due = unnamed.filter((one) => this.#isDue(one, before.get(one.key)));
      removed += await this.#remove(state, due, signal);
    }
    return removed;
  }

  /** All segments by their set; read before the manifests are, which may name them since. */
  async #stored(signal?: AbortSignal): Promise<Map<string, Stored[]>> {
    const bySet = new Map<string, Stored[]>();
    const query = { range: setKeys.allSegments(), keysOnly: true, limit: LIMITS.rangeEntries };
    for await (const { entries } of scan(this.#store, query, signal)) {
      for (const { key, modRevision } of entries) {
        const { name, hash } = setKeys.splitSegment(key);
        const stored = bySet.get(name) ?? [];
        stored.push({ hash, key, modRevision });
        bySet.set(name, stored);
      }
    }
    return bySet;
  }

  /** Hashes that the manifest names, and those of the generations that are kept. */
  async #named({ name, manifest, revision }: SetState, signal?: AbortSignal): Promise<Set<string>> {
    const named = new Set<string>();
    const segments = new StoreSegments(this.#store, name, revision);
    const { entries } = await this.#store.range(
      { range: setKeys.pasts(name), revision },
      { signal },
    );
    const manifests = entries.map(({ value }) => decodeManifest(value));
    if (manifest !== undefined) manifests.push(manifest);
    for (const { keySize, base, layers } of manifests) {
      for (const { segments: parts } of layers) for (const { hash } of parts) named.add(hash);
      for (const { hash } of base.pages) {
        if (named.has(hash)) continue;
        named.add(hash);
        const page = decodePage(keySize, await segments.get(hash, signal));
        for (const entry of page) named.add(entry.hash);
      }
    }
    return named;
  }

  #isDue(
    { key, modRevision }: Stored,
    before: { readonly modRevision: bigint; readonly since: number } | undefined,
  ): boolean {
    const now = this.#clock.now();
    const since = before?.modRevision === modRevision ? before.since : now;
    this.#unnamed.set(key, { modRevision, since });
    return now - since >= this.#graceMs;
  }

  async #remove(state: SetState, due: readonly Stored[], signal?: AbortSignal): Promise<number> {
    const { name, modRevision } = state;
    let { collectedRevision } = state;
    for (let from = 0; from < due.length; from += AT_A_TIME) {
      const some = due.slice(from, from + AT_A_TIME);
      const { succeeded, revision } = await this.#store.transact(
        {
          compare: [
            isAt(setKeys.manifest(name), modRevision),
            isAt(setKeys.collected(name), collectedRevision),
          ],
          success: [put(setKeys.collected(name), NOTHING), ...some.map(({ key }) => remove(key))],
        },
        { signal },
      );
      // Somebody writes: the next round looks again.
      if (!succeeded) return from;
      collectedRevision = revision;
      for (const { key } of some) this.#unnamed.delete(key);
    }
    return due.length;
  }
}
