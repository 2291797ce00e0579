import { Breath } from "./breath.js";
import type { Contents } from "./contents.js";
import { type Changes, type ElementSizes, firstNotBefore } from "./elements.js";
import type { Manifest, Part } from "./manifest.js";
import { applyChanges } from "./merge-changes.js";
import { encodeSegment } from "./segment.js";
import { SegmentCutter } from "./segment-cutter.js";
import { encodePage, endsPage, type SegmentEntry } from "./segment-index.js";
import type { SegmentUpload } from "./segment-upload.js";

/** A base that has been written: its pages, and how many elements it has. */
export interface WrittenBase {
  readonly pages: Part[];
  readonly count: number;
}

/** Writes a base of sorted elements. */
export async function writeBase(
  sizes: ElementSizes,
  elements: Iterable<Changes>,
  upload: SegmentUpload,
): Promise<WrittenBase> {
  const base = new BaseWriter(sizes, upload);
  const breath = new Breath();
  for (const some of elements) {
    await base.add(some);
    await breath.take();
  }
  return base.end();
}

/**
 * Writes the base anew with the changes in it. Segments that have none stay as they are, unread;
 * the result is what `writeBase` would make of the same contents.
 */
export async function foldChanges(
  manifest: Manifest,
  contents: Contents,
  changes: Changes,
  upload: SegmentUpload,
  signal?: AbortSignal,
): Promise<WrittenBase> {
  const base = new BaseWriter(manifest, upload);
  const breath = new Breath();
  let at = 0;
  const take = async (entry: SegmentEntry, next: SegmentEntry | undefined) => {
    const until =
      next === undefined
        ? changes.count
        : firstNotBefore(changes, next.first, 0, manifest.keySize, at);
    // Cut from the same place, the same elements are the same segment.
    if (at === until && base.isBetween) return base.keep(entry);
    const elements = await contents.segment(entry.hash, signal);
    const changed = applyChanges(manifest, elements, changes, at, until);
    at = until;
    await base.add(changed);
    await breath.take();
  };
  let entry: SegmentEntry | undefined;
  for await (const next of contents.entries(signal)) {
    if (entry !== undefined) await take(entry, next);
    entry = next;
  }
  if (entry !== undefined) await take(entry, undefined);
  else await base.add(applyChanges(manifest, NOTHING, changes, 0, changes.count));
  return base.end();
}

const NONE = new Uint8Array(0);
const NOTHING = { count: 0, keys: NONE, values: NONE };

/** Writes segments and pages of a base. */
class BaseWriter {
  readonly #sizes: ElementSizes;
  readonly #upload: SegmentUpload;
  readonly #cutter: SegmentCutter;
  readonly #pages: Part[] = [];
  #entries: SegmentEntry[] = [];
  #count = 0;

  constructor(sizes: ElementSizes, upload: SegmentUpload) {
    this.#sizes = sizes;
    this.#upload = upload;
    this.#cutter = new SegmentCutter(sizes);
  }

  /** Whether the next element begins a segment. */
  get isBetween(): boolean {
    return this.#cutter.isBetween;
  }

  /** Takes a segment as it is. */
  async keep(entry: SegmentEntry): Promise<void> {
    this.#count += entry.count;
    this.#entries.push(entry);
    if (endsPage(this.#entries)) await this.#endPage();
  }

  async add(elements: Omit<Changes, "removed">): Promise<void> {
    for (const segment of this.#cutter.add(elements)) await this.#addSegment(segment);
  }

  async end(): Promise<WrittenBase> {
    for (const segment of this.#cutter.end()) await this.#addSegment(segment);
    if (this.#entries.length > 0) await this.#endPage();
    return { pages: this.#pages, count: this.#count };
  }

  async #addSegment({ count, keys, values }: Changes): Promise<void> {
    const hash = await this.#upload.add(encodeSegment(this.#sizes, { count, keys, values }));
    await this.keep({ hash, count, first: keys.subarray(0, this.#sizes.keySize) });
  }

  async #endPage(): Promise<void> {
    const entries = this.#entries;
    this.#entries = [];
    const hash = await this.#upload.add(encodePage(this.#sizes.keySize, entries));
    const count = entries.reduce((sum, entry) => sum + entry.count, 0);
    const first = Buffer.from(entries[0]!.first).toString("hex");
    this.#pages.push({ hash, count, first });
  }
}
