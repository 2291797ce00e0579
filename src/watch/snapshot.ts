import type { Scan, SnapshotChunk } from "./watch-protocol.js";

/** The contents of a map as of a revision, shared by all who read it. */
export class Snapshot {
  readonly revision: number;
  /** When the contents were seen. */
  readonly scan: Scan;
  /** Calls that were traced or lost up to it. */
  readonly calls: number;
  #chunks: readonly SnapshotChunk[] | undefined;

  constructor(revision: number, scan: Scan, calls: number, chunks: readonly SnapshotChunk[]) {
    this.revision = revision;
    this.scan = scan;
    this.calls = calls;
    this.#chunks = chunks;
  }

  /** The elements; undefined once it is revoked. */
  get chunks(): readonly SnapshotChunk[] | undefined {
    return this.#chunks;
  }

  /** Gives up the memory, though somebody may still read it. */
  revoke(): void {
    this.#chunks = undefined;
  }
}

/** Snapshots of one map that may be in memory at a time: the last, and one for slow readers. */
const MAX_SNAPSHOTS = 2;

/** The snapshots of one map that somebody may still read. */
export class SnapshotShelf {
  readonly #snapshots: WeakRef<Snapshot>[] = [];

  /** The last one, if it is still in memory. */
  get last(): Snapshot | undefined {
    return this.#snapshots.at(-1)?.deref();
  }

  /** Adds one; revokes the oldest where there are too many. */
  add(snapshot: Snapshot): void {
    this.#snapshots.push(new WeakRef(snapshot));
    while (this.#snapshots.length > MAX_SNAPSHOTS) this.#snapshots.shift()?.deref()?.revoke();
  }
}
