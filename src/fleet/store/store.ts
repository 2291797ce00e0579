import type { Entry } from "./entry.js";
import type { KeptLease } from "./kept-lease.js";
import type { KeyRange } from "./key-range.js";
import type { OperationResult, Transaction } from "./transaction.js";

/**
 * A small, ordered database with a history, as etcd has it: every write has a revision, reads can
 * be made at one, and watches begin at one. Revisions grow, not always by one, and an empty store
 * has one, too. What is acknowledged is on the disk.
 *
 * Keys are 1 to 1024 printable ASCII characters without spaces, in the order of their characters;
 * values are bytes, at most 1 MiB in a transaction. All failures are StoreErrors. Every method
 * can fail with INVALID_ARGUMENT, CLOSED, CANCELLED, UNAVAILABLE, DEADLINE_EXCEEDED,
 * UNAUTHENTICATED, PERMISSION_DENIED and INTERNAL; further codes stand with each.
 */
export interface Store {
  /** Reads one key, as it is now or was at a revision. COMPACTED, FUTURE_REVISION. */
  get(key: string, options?: ReadOptions): Promise<GetAnswer>;

  /**
   * Reads keys of a range, in order, all at one revision: now, or as it was then. For more than
   * one page use `scan`. COMPACTED, FUTURE_REVISION.
   */
  range(query: RangeQuery, options?: CallOptions): Promise<RangeAnswer>;

  /**
   * Compares and writes, all or nothing. A store that is cut off in the middle may have done it:
   * then the error's `maybeApplied` is true. LEASE_NOT_FOUND for a put with a lease that is not
   * there, NO_SPACE.
   */
  transact(transaction: Transaction, options?: CallOptions): Promise<TransactionAnswer>;

  /**
   * Tells changes of a range, from revision `from` on, each once and in their order, until the
   * caller stops. It goes on by itself, without loss, after the store was away. The iteration
   * ends where the query's signal is aborted, and throws:
   * - COMPACTED, at the beginning or later (as after a long cut, or a slow reader), where changes
   *   that belong to it are no longer kept;
   * - HISTORY_LOST, UNAUTHENTICATED, PERMISSION_DENIED, CLOSED.
   */
  watch(query: WatchQuery): AsyncIterable<WatchBatch>;

  /**
   * Gives up what was before a revision: reads below it, and watches from it or below, fail with
   * COMPACTED from now on. COMPACTED where that is so already, FUTURE_REVISION, NO_SPACE.
   */
  compact(revision: bigint, options?: CallOptions): Promise<Answer>;

  /**
   * Makes a lease: keys put with it go when it runs out, all at one revision. After the store
   * itself was away, a lease has its whole time again. NO_SPACE.
   * @param seconds time to live, 1 to 86400; etcd makes short ones longer, see the answer
   */
  grantLease(seconds: number, options?: CallOptions): Promise<LeaseAnswer>;

  /** Gives a lease its whole time again. LEASE_NOT_FOUND. */
  refreshLease(id: bigint, options?: CallOptions): Promise<LeaseAnswer>;

  /** Refreshes a lease again and again until `stop`; tells when it is lost. */
  keepLease(lease: Pick<LeaseAnswer, "id" | "seconds">): KeptLease;

  /** What is known of a lease. LEASE_NOT_FOUND. */
  getLease(id: bigint, options?: CallOptions): Promise<LeaseStatus>;

  /** Ends a lease and removes its keys. LEASE_NOT_FOUND. */
  revokeLease(id: bigint, options?: CallOptions): Promise<Answer>;

  /** Ends all watches and calls with CLOSED, and lets go of connections and files. */
  close(): Promise<void>;
}

/** How a call is made. */
export interface CallOptions {
  /** Ends the call with CANCELLED. A write that is under way may still be done. */
  readonly signal?: AbortSignal;
  /** Milliseconds until DEADLINE_EXCEEDED, over all tries. Of no use to the embedded store. */
  readonly deadlineMs?: number;
}

/** How one key is read. */
export interface ReadOptions extends CallOptions {
  /** The revision to read at; without it, the newest. */
  readonly revision?: bigint;
}

/** What every answer tells. */
export interface Answer {
  /** The store's revision when it answered: what was read is the state at it. */
  readonly revision: bigint;
}

/** The answer to reading one key. */
export interface GetAnswer extends Answer {
  /** Absent where the key is not there. */
  readonly entry: Entry | undefined;
}

/** What to read of a range. */
export interface RangeQuery {
  readonly range: KeyRange;
  /** The revision to read at; without it, the newest. */
  readonly revision?: bigint;
  /** Entries at most, 1 to 10000. Default 10000. Beware of large values. */
  readonly limit?: number;
  /** Leaves the values empty. */
  readonly keysOnly?: boolean;
}

/** The answer to a range read. `revision` is the store's, whatever revision was read at. */
export interface RangeAnswer extends Answer {
  /** In the order of their keys. */
  readonly entries: readonly Entry[];
  /** Whether the limit left out some. */
  readonly more: boolean;
  /** Keys in the range at that revision, those left out included. */
  readonly count: number;
}

/** What came of a transaction. */
export interface TransactionAnswer extends Answer {
  /** Whether the comparisons held, so that `success` was done; otherwise `failure` was. */
  readonly succeeded: boolean;
  /** One for each operation of the branch that was done. */
  readonly results: readonly OperationResult[];
}

/** What to watch. */
export interface WatchQuery {
  readonly range: KeyRange;
  /** The first revision to tell of, 1 or more: mostly one after that of a read. */
  readonly from: bigint;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  /** Called when the store is away and the watch will try again. */
  readonly onInterrupted?: (error: Error) => void;
}

/** Changes of whole revisions. */
export interface WatchBatch {
  /** Everything up to here has been told: a later watch goes on from the revision after it. */
  readonly revision: bigint;
  /** In the order of their revisions; may be none, where only the revision is news. */
  readonly events: readonly WatchEvent[];
}

/** One change. */
export type WatchEvent =
  | { readonly type: "put"; readonly entry: Entry }
  | { readonly type: "delete"; readonly key: string; readonly modRevision: bigint };

/** What is told of a lease that was granted or refreshed. */
export interface LeaseAnswer extends Answer {
  readonly id: bigint;
  /** Its time to live from now on, in seconds. */
  readonly seconds: number;
}

/** A lease as it is. */
export interface LeaseStatus extends Answer {
  readonly id: bigint;
  /** The time to live that it was granted, in seconds. */
  readonly seconds: number;
  /** What is left of it, in whole seconds. */
  readonly remainingSeconds: number;
  /** The keys that go with it, in order. */
  readonly keys: readonly string[];
}
