/** Bounds on what one call, or all calls together, may cost the host. */
export interface MapLimits {
  /** Bytes for telling duplicates in one scan of a type that the kernel walks by key. */
  readonly dedupMemoryBytes: number;
  /** Bytes for one load's picture of the map: REPLACE and dry runs. */
  readonly replaceMemoryBytes: number;
  /** Largest message the daemon accepts or sends, in bytes. */
  readonly maxMessageBytes: number;
  /** Most dumps, loads, counts and clears at a time. */
  readonly maxScans: number;
  /** Worker threads that they share. */
  readonly scanThreads: number;
}
