import { type Changes, changesBytes } from "./changes.js";
import type { Scan } from "./watch-protocol.js";

/** All that changed in one revision: with one scan, or one write of the service. */
export interface Revision {
  readonly number: number;
  readonly changes: Changes;
  readonly scan: Scan;
}

/** The last revisions of one map, as many as fit into a number of bytes. */
export class History {
  readonly #maxBytes: number;
  readonly #revisions: Revision[] = [];
  #bytes = 0;
  /** The last revision that was dropped, or that the history began after. */
  #droppedTo: number;
  #latest: number;

  /** @param start the revision that the map's contents are known at */
  constructor(maxBytes: number, start: number) {
    this.#maxBytes = maxBytes;
    this.#droppedTo = start;
    this.#latest = start;
  }

  /** The last revision. */
  get latest(): number {
    return this.#latest;
  }

  /** Adds what came after the latest revision. */
  append(changes: Changes, scan: Scan): void {
    this.#latest++;
    this.#revisions.push({ number: this.#latest, changes, scan });
    this.#bytes += changesBytes(changes);
    while (this.#bytes > this.#maxBytes) this.#drop();
  }

  /** What came after a revision, oldest first; undefined where it reaches not so far back. */
  after(revision: number): readonly Revision[] | undefined {
    if (revision < this.#droppedTo || revision > this.#latest) return undefined;
    return this.#revisions.slice(revision - this.#droppedTo);
  }

  /** Changes that came after a revision and were dropped, as far as that is known. */
  #drop(): void {
    const oldest = this.#revisions.shift();
    if (!oldest) return;
    this.#bytes -= changesBytes(oldest.changes);
    this.#droppedTo = oldest.number;
  }
}
