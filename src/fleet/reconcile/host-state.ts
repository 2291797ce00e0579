import type { Manifest } from "../sets/index.js";

/** What a host remembers of a set, also over a restart. Plain data. */
export interface SetRecord {
  /** The map that it was written to: see `TargetFacts.identity`. */
  readonly identity: string;
  /** Manifests of which elements may be in the map; the last is what is, or was to be, written. */
  readonly written: readonly Manifest[];
  /**
   * The one that the map has, apart from changes on the way to a later one; absent where it may
   * be a mixture.
   */
  readonly applied?: Manifest | undefined;
}

/** Where a host remembers its sets. What is saved is on the disk. */
export interface HostState {
  load(): Promise<ReadonlyMap<string, SetRecord>>;
  save(set: string, record: SetRecord): Promise<void>;
  forget(set: string): Promise<void>;
}

/** Where a host keeps segments, so that it need not fetch them again. */
export interface SegmentShelf {
  /** The bytes as they were put; undefined where there are none, or something broken. */
  get(hash: string): Promise<Uint8Array | undefined>;
  put(hash: string, bytes: Uint8Array): Promise<void>;
  list(): Promise<readonly string[]>;
  remove(hash: string): Promise<void>;
}
