/**
 * What every store takes at most. etcd's own defaults are a little above: requests of 1.5 MiB
 * (--max-request-bytes) and 128 operations (--max-txn-ops).
 */
export const LIMITS = {
  /** Characters of a key. */
  keyLength: 1024,
  /** Comparisons of a transaction, and operations of each of its branches. */
  operations: 128,
  /** Bytes of all keys and values of a transaction. */
  transactionBytes: 1024 * 1024,
  /** Entries of one answer to a range read. */
  rangeEntries: 10_000,
  /** Seconds of a lease. */
  leaseSeconds: 86_400,
} as const;
