/** One write of one key, without its value, which is on the disk. */
export interface Version {
  readonly key: string;
  /** The revision of the write. */
  readonly revision: bigint;
  /** Its place among the writes of that revision: with it, where its value is. */
  readonly place: number;
  /** Whether the key was removed; then the numbers below are 0. */
  readonly deleted: boolean;
  readonly createRevision: bigint;
  /** Writes since the key came to be. */
  readonly version: bigint;
  /** The lease it goes with; 0 for none. */
  readonly lease: bigint;
}

/** The writes of one revision. */
export interface Step {
  readonly revision: bigint;
  readonly versions: readonly Version[];
}
