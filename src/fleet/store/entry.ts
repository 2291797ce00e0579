/** A key that is there, with its value. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** The revision at which the key came to be, last. */
  readonly createRevision: bigint;
  /** The revision of its last write. */
  readonly modRevision: bigint;
  /** Writes since it came to be; 1 for the first. */
  readonly version: bigint;
  /** The lease it goes with; 0 for none. */
  readonly lease: bigint;
}
