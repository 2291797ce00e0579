import { type Changes, type ElementSizes, type Elements, firstNotBefore } from "./elements.js";
import { type Layer, liveLayers, type Manifest, type Part } from "./manifest.js";
import { applyChanges, joinChanges, mergeAllChanges, noChanges } from "./merge-changes.js";
import { decodeSegment } from "./segment.js";
import { decodePage, type SegmentEntry } from "./segment-index.js";
import type { SegmentSource } from "./segment-source.js";

/** Segments that are asked for before they are needed. */
const AHEAD = 8;

/** The contents of a set at one generation, read out of its segments. */
export class Contents {
  readonly #manifest: Manifest;
  readonly #source: SegmentSource;

  constructor(manifest: Manifest, source: SegmentSource) {
    this.#manifest = manifest;
    this.#source = source;
  }

  /** All elements in the order of their keys, in chunks of a segment or so. */
  async *read(signal?: AbortSignal): AsyncGenerator<Elements> {
    const changes = await this.overlay(signal);
    let at = 0;
    for await (const { entry, next, elements } of this.#base(signal)) {
      const isLast = next === undefined;
      const until = isLast ? changes.count : this.#firstFrom(changes, next, at);
      const changed = applyChanges(this.#sizes, elements, changes, at, until);
      at = until;
      if (changed.count > 0) yield changed;
      if (entry === undefined) return;
    }
  }

  /** All changes since the base, as one. */
  async overlay(signal?: AbortSignal): Promise<Changes> {
    return this.changes(liveLayers(this.#manifest), signal);
  }

  /** Changes of layers that follow one another, as one. */
  async changes(layers: readonly Layer[], signal?: AbortSignal): Promise<Changes> {
    const segments = layers.map(({ segments }) => segments);
    const perLayer: Changes[] = [];
    for (const parts of segments) {
      const read = await Promise.all(parts.map((one) => this.segment(one.hash, signal)));
      perLayer.push(joinChanges(read));
    }
    return mergeAllChanges(this.#sizes, perLayer);
  }

  /** The entries of the base's segments, in order. */
  async *entries(signal?: AbortSignal): AsyncGenerator<SegmentEntry> {
    for (const { hash } of this.#manifest.base.pages) yield* await this.page(hash, signal);
  }

  /** A page of the index. */
  async page(hash: string, signal?: AbortSignal): Promise<SegmentEntry[]> {
    return decodePage(this.#manifest.keySize, await this.#source.get(hash, signal));
  }

  /** A segment. */
  async segment(hash: string, signal?: AbortSignal): Promise<Changes> {
    return decodeSegment(this.#sizes, await this.#source.get(hash, signal));
  }

  get #sizes(): ElementSizes {
    return this.#manifest;
  }

  #firstFrom(changes: Changes, key: Uint8Array, from: number): number {
    return firstNotBefore(changes, key, 0, this.#manifest.keySize, from);
  }

  /** The base's segments with the first key of the one after; where there is none, no elements. */
  async *#base(signal?: AbortSignal) {
    const ahead: { entry: SegmentEntry; elements: Promise<Changes> }[] = [];
    const shift = async (next?: SegmentEntry) => {
      const { entry, elements } = ahead.shift()!;
      const following = ahead[0]?.entry ?? next;
      return { entry, next: following?.first, elements: await elements };
    };
    let isEmpty = true;
    for await (const entry of this.entries(signal)) {
      isEmpty = false;
      const elements = this.segment(entry.hash, signal);
      // Who awaits it comes later, if at all.
      elements.catch(() => {});
      ahead.push({ entry, elements });
      if (ahead.length > AHEAD) yield await shift();
    }
    while (ahead.length > 0) yield await shift();
    if (isEmpty) yield { entry: undefined, next: undefined, elements: noChanges() };
  }
}

/** Index of the part in which a key would be: the last that does not begin after it. */
export function partOf(parts: readonly Pick<Part, "first">[], key: string): number {
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (parts[middle]!.first <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
