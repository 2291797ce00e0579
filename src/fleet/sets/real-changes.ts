import { Breath } from "./breath.js";
import { ColumnBuilder } from "./column-builder.js";
import { type Contents, partOf } from "./contents.js";
import { type Changes, compareKeys, firstNotBefore, hexKey } from "./elements.js";
import { liveLayers, type Manifest } from "./manifest.js";
import type { SegmentEntry } from "./segment-index.js";

/** Segments that are read at a time. */
const AT_A_TIME = 16;

/** What a patch changes really, and how many of its elements do what. */
export interface RealChanges {
  /** Without puts of what is there already, and removals of what is not. */
  readonly changes: Changes;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly unchanged: number;
}

/** Where a key of the patch is now. */
interface Place {
  readonly segment: Changes;
  readonly index: number;
}

/** Finds out what a patch changes. It reads the segments in which the patch's keys would be, no others. */
export async function realChanges(
  manifest: Manifest,
  contents: Contents,
  wanted: Changes,
  signal?: AbortSignal,
): Promise<RealChanges> {
  const search = new Search(manifest, contents, wanted, signal);
  const places = await search.run();
  const real = new ColumnBuilder(manifest, wanted.count);
  const counts = { added: 0, changed: 0, removed: 0, unchanged: 0 };
  for (let index = 0; index < wanted.count; index++) {
    const what = effectOf(wanted, index, places[index], manifest.valueSize);
    counts[what]++;
    if (what !== "unchanged") real.addOne(wanted, index);
  }
  return { changes: real.take(), ...counts };
}

function effectOf(wanted: Changes, index: number, place: Place | undefined, valueSize: number) {
  const isThere = place !== undefined && !place.segment.removed[place.index];
  if (wanted.removed[index]) return isThere ? "removed" : "unchanged";
  if (!isThere) return "added";
  const { segment, index: at } = place;
  const order = compareKeys(
    segment.values,
    at * valueSize,
    wanted.values,
    index * valueSize,
    valueSize,
  );
  return order === 0 ? "unchanged" : "changed";
}

class Search {
  readonly #manifest: Manifest;
  readonly #contents: Contents;
  readonly #wanted: Changes;
  readonly #signal: AbortSignal | undefined;
  readonly #places: (Place | undefined)[];
  readonly #breath = new Breath();

  constructor(manifest: Manifest, contents: Contents, wanted: Changes, signal?: AbortSignal) {
    this.#manifest = manifest;
    this.#contents = contents;
    this.#wanted = wanted;
    this.#signal = signal;
    this.#places = new Array(wanted.count);
  }

  /** The place of each key that is somewhere. */
  async run(): Promise<readonly (Place | undefined)[]> {
    const layers = liveLayers(this.#manifest);
    for (const { segments } of layers.reverse()) {
      await this.#lookIn((key) => segments[partOf(segments, key)]?.hash);
    }
    const { pages } = this.#manifest.base;
    const entries = new Map<string, SegmentEntry[]>();
    for (const page of new Set(this.#missing().map((index) => partOf(pages, this.#key(index))))) {
      if (page >= 0) {
        const { hash } = pages[page]!;
        entries.set(hash, await this.#contents.page(hash, this.#signal));
      }
    }
    await this.#lookIn((key, index) => {
      const page = pages[partOf(pages, key)];
      return page && this.#segmentIn(entries.get(page.hash)!, index)?.hash;
    });
    return this.#places;
  }

  /** Looks for all keys without a place, each in the segment that is named for it. */
  async #lookIn(segmentFor: (key: string, index: number) => string | undefined): Promise<void> {
    const bySegment = new Map<string, number[]>();
    for (const index of this.#missing()) {
      const hash = segmentFor(this.#key(index), index);
      if (hash === undefined) continue;
      const indexes = bySegment.get(hash) ?? [];
      indexes.push(index);
      bySegment.set(hash, indexes);
    }
    const all = [...bySegment];
    for (let from = 0; from < all.length; from += AT_A_TIME) {
      const some = all.slice(from, from + AT_A_TIME);
      await Promise.all(some.map(([hash, indexes]) => this.#lookInSegment(hash, indexes)));
      await this.#breath.take();
    }
  }

  async #lookInSegment(hash: string, indexes: readonly number[]): Promise<void> {
    const segment = await this.#contents.segment(hash, this.#signal);
    const { keySize } = this.#manifest;
    for (const index of indexes) {
      const at = firstNotBefore(segment, this.#wanted.keys, index * keySize, keySize);
      if (at === segment.count) continue;
      const { keys } = this.#wanted;
      if (compareKeys(segment.keys, at * keySize, keys, index * keySize, keySize) !== 0) continue;
      this.#places[index] = { segment, index: at };
    }
  }

  #segmentIn(entries: readonly SegmentEntry[], index: number): SegmentEntry | undefined {
    const { keySize } = this.#manifest;
    const { keys } = this.#wanted;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compareKeys(entries[middle]!.first, 0, keys, index * keySize, keySize);
      if (order <= 0) low = middle + 1;
      else high = middle;
    }
    return entries[low - 1];
  }

  #missing(): number[] {
    const missing: number[] = [];
    for (let index = 0; index < this.#wanted.count; index++) {
      if (this.#places[index] === undefined) missing.push(index);
    }
    return missing;
  }

  #key(index: number): string {
    const { keySize } = this.#manifest;
    return hexKey(this.#wanted.keys, index * keySize, keySize);
  }
}
