/** Bounds on what watches may cost the host. */
export interface WatchLimits {
  /** Most maps that are watched at a time. */
  readonly maxMaps: number;
  /** Most watches at a time. */
  readonly maxWatches: number;
  /** Worker threads that scans of watched maps share. */
  readonly threads: number;
  /** Part of one CPU that the scans of one map may take, above 0 and up to 1. */
  readonly cpuShare: number;
  /** Bytes of changes that are kept of each map for slow readers and for resuming. */
  readonly historyBytes: number;
  /** Interval between scans where a watch asks for none, in milliseconds. */
  readonly defaultIntervalMs: number;
  /** Shortest interval between scans, in milliseconds. */
  readonly minIntervalMs: number;
  /** Interval between scans of a map that is traced, where a watch asks for none, in milliseconds. */
  readonly tracedIntervalMs: number;
  /** Bytes of the kernel's ring buffer for each traced map: a power of two, whole pages. */
  readonly traceRingBytes: number;
}
