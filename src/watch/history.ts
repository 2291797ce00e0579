import { type Changes, changesBytes } from "./changes.js";
import type { Scan } from "./watch-protocol.js";

/** All that changed in one revision: with one scan, or one write of the service. */
export interface Revision {
  readonly number: number;
  readonly changes: Changes;
  readonly scan: Scan;
  /** Traced calls that were lost before it. */
  readonly lost: number;
}

/** The last revisions of one map, as many as fit into a number of bytes. */
export class History {
  readonly #maxBytes: number;
  readonly #revisions: Revision[] = [];
  #bytes = 0;
  /** The last revision that was dropped, or that the history began after. */
  #droppedTo: number;
  #latest: number;
  #lost = 0;

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
    this.#revisions.push({ number: this.#latest, changes, scan, lost: this.#lost });
    this.#lost = 0;
    this.#bytes += changesBytes(changes);
    while (this.#bytes > this.#maxBytes) this.#drop();
  }

  /** What came after a revision, oldest first; undefined where it reaches not so far back. */
  after(revision: number): readonly Revision[] | undefined {
    if (revision < this.#droppedTo || revision > this.#latest) return undefined;
    return this.#revisions.slice(revision - this.#droppedTo);
  }

  /** Notes that traced calls were lost after the latest revision. */
  lose(calls: number): void {
    this.#lost += calls;
  }

  #drop(): void {
    const oldest = this.#revisions.shift();
    if (!oldest) return;
    this.#bytes -= changesBytes(oldest.changes);
    this.#droppedTo = oldest.number;
  }
}
