/** Bounds on what reading records may cost the host. */
export interface RecordLimits {
  /** Bytes that are kept for a subscriber that asks for no number of its own. */
  readonly queueBytes: number;
  /** Most subscribers at a time. */
  readonly maxSubscribers: number;
  /** Most maps that are read at a time. */
  readonly maxMaps: number;
  /** Worker threads that their readers share. */
  readonly threads: number;
}
