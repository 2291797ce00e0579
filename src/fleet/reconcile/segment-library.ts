import { Contents, checkedSegment, type Manifest, type SegmentSource } from "../sets/index.js";
import type { SegmentShelf } from "./host-state.js";

/** Segments that are fetched at a time. */
const AT_A_TIME = 8;

/** Fetches a segment of a set from far; throws where it cannot be had. */
export type FetchSegment = (set: string, hash: string, signal?: AbortSignal) => Promise<Uint8Array>;

/** The segments of a host's sets: fetched when they are first wanted, and kept while they are. */
export class SegmentLibrary {
  readonly #shelf: SegmentShelf;
  readonly #fetch: FetchSegment;
  /** Manifests that something is done with now. */
  readonly #inUse = new Set<Manifest>();

  constructor(shelf: SegmentShelf, fetch: FetchSegment) {
    this.#shelf = shelf;
    this.#fetch = fetch;
  }

  /** The contents of a set's generation. */
  contents(manifest: Manifest): Contents {
    return new Contents(manifest, this.#source(manifest.name));
  }

  /** Keeps the segments of a generation while it is worked with. */
  async with<T>(manifest: Manifest, work: (contents: Contents) => Promise<T>): Promise<T> {
    this.#inUse.add(manifest);
    try {
      return await work(this.contents(manifest));
    } finally {
      this.#inUse.delete(manifest);
    }
  }

  /** Fetches what is not here of all that a manifest names. */
  async complete(manifest: Manifest, signal: AbortSignal): Promise<void> {
    const source = this.#source(manifest.name);
    const here = new Set(await this.#shelf.list());
    const lacking: string[] = [];
    for await (const hash of named(manifest, source, signal)) {
      if (!here.has(hash)) lacking.push(hash);
    }
    for (let from = 0; from < lacking.length; from += AT_A_TIME) {
      const some = lacking.slice(from, from + AT_A_TIME);
      await Promise.all(some.map((hash) => source.get(hash, signal)));
    }
  }

  /**
   * Lets go of what none of these manifests names, and none that is in use. Nothing is fetched for
   * it: where a page is not here yet, so that it is not known what it names, all stays.
   */
  async keepOnly(manifests: Iterable<Manifest>): Promise<void> {
    const all = new Set<string>();
    try {
      for (const manifest of [...manifests, ...this.#inUse]) {
        for await (const hash of named(manifest, this.#shelved)) all.add(hash);
      }
    } catch (error) {
      if (error instanceof NotHereError) return;
      throw error;
    }
    for (const hash of await this.#shelf.list()) {
      if (!all.has(hash)) await this.#shelf.remove(hash);
    }
  }

  /** What is here, and nothing else. */
  get #shelved(): SegmentSource {
    return {
      get: async (hash) => {
        const bytes = await this.#shelf.get(hash);
        if (bytes === undefined) throw new NotHereError();
        return bytes;
      },
    };
  }

  #source(set: string): SegmentSource {
    return {
      get: async (hash, signal) => {
        const kept = await this.#shelf.get(hash);
        if (kept !== undefined) return kept;
        const bytes = checkedSegment(set, hash, await this.#fetch(set, hash, signal));
        await this.#shelf.put(hash, bytes);
        return bytes;
      },
    };
  }
}

/** A segment has not been fetched. */
class NotHereError extends Error {}

/** Hashes of all pages and segments of a manifest. */
async function* named(
  manifest: Manifest,
  source: SegmentSource,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  for (const { segments } of manifest.layers) for (const { hash } of segments) yield hash;
  for (const { hash } of manifest.base.pages) yield hash;
  const entries = new Contents(manifest, source).entries(signal);
  for await (const { hash } of entries) yield hash;
}
