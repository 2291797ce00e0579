import { ChangeLog, type Changes, changesBytes } from "./changes.js";
import type { Scan } from "./watch-protocol.js";

/** All that changed in one revision: with one scan, or one write of the service. */
export interface Revision {
  readonly number: number;
  readonly changes: Changes;
  /** When it was seen; no more of the scan, as there are tens of thousands of revisions. */
  readonly scan: Pick<Scan, "startedMs" | "finishedMs">;
  /** Traced calls that were lost: such a revision has no changes. */
  readonly lost: number;
  /** Calls that were traced or lost before it. */
  readonly callsBefore: number;
}

/** The last revisions of one map, as many as fit into a number of bytes. */
export class History {
  readonly #maxBytes: number;
  readonly #revisions: Revision[] = [];
  #bytes = 0;
  /** The last revision that was dropped, or that the history began after. */
  #droppedTo: number;
  #latest: number;
  #calls = 0;

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
    this.#add(changes, scan, 0);
  }

  /** Adds that traced calls were lost after the latest revision. */
  lose(calls: number, scan: Scan): void {
    this.#add(new ChangeLog(0, 0).take(), scan, calls);
  }

  /** Calls that were traced or lost up to a revision that the history reaches back to. */
  callsUpTo(revision: number): number {
    return this.#revisions[revision - this.#droppedTo]?.callsBefore ?? this.#calls;
  }

  /** What came after a revision, oldest first; undefined where it reaches not so far back. */
  after(revision: number): readonly Revision[] | undefined {
    if (revision < this.#droppedTo || revision > this.#latest) return undefined;
    return this.#revisions.slice(revision - this.#droppedTo);
  }

  #add(changes: Changes, { startedMs, finishedMs }: Scan, lost: number): void {
    this.#latest++;
    const callsBefore = this.#calls;
    this.#calls += lost + changes.writers.length;
    const scan = { startedMs, finishedMs };
    this.#revisions.push({ number: this.#latest, changes, scan, lost, callsBefore });
    this.#bytes += changesBytes(changes);
    while (this.#bytes > this.#maxBytes) this.#drop();
  }

  #drop(): void {
    const oldest = this.#revisions.shift();
    if (!oldest) return;
    this.#bytes -= changesBytes(oldest.changes);
    this.#droppedTo = oldest.number;
  }
}
