import { randomBytes } from "node:crypto";
import type { Clock } from "../../clock.js";
import {
  checkKey,
  checkLease,
  checkLeaseSeconds,
  checkRangeQuery,
  checkRevision,
  checkTransaction,
  checkWatch,
  transactionBytes,
} from "../check.js";
import { type KeptLease, LeaseKeeper } from "../kept-lease.js";
import { oneKey } from "../key-range.js";
import type {
  Answer,
  CallOptions,
  GetAnswer,
  LeaseAnswer,
  LeaseStatus,
  RangeAnswer,
  RangeQuery,
  ReadOptions,
  Store,
  TransactionAnswer,
  WatchBatch,
  WatchQuery,
} from "../store.js";
import { compacted, futureRevision, leaseNotFound } from "../store-error.js";
import type { OperationResult, Transaction } from "../transaction.js";
import { valueKey, writeLease, writeState, writeStep } from "./disk-layout.js";
import type { Engine } from "./engine.js";
import { evaluate, type PendingResult } from "./evaluate.js";
import { expireLeases, removeLease } from "./expire-leases.js";
import type { Lease } from "./lease-table.js";
import { entryOf, readRange, valueMissing } from "./read-range.js";
import { watchChanges } from "./watch-changes.js";

/** The store on one machine, in a database of this process's own. */
export class EmbeddedStore implements Store {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #expiring: Promise<void>;

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
    this.#expiring = expireLeases(engine, clock);
  }

  async get(key: string, { revision, signal }: ReadOptions = {}): Promise<GetAnswer> {
    checkKey(key);
    const answer = await this.range({ range: oneKey(key), revision }, { signal });
    return { revision: answer.revision, entry: answer.entries[0] };
  }

  async range(query: RangeQuery, { signal }: CallOptions = {}): Promise<RangeAnswer> {
    checkRangeQuery(query);
    await this.#engine.usable(signal);
    return readRange(this.#engine, query);
  }

  async transact(
    transaction: Transaction,
    { signal }: CallOptions = {},
  ): Promise<TransactionAnswer> {
    checkTransaction(transaction);
    await this.#engine.usable(signal);
    // What only removes may go on when the disk is full.
    if (!puts(transaction)) return this.#transact(transaction, signal);
    const bytes = transactionBytes(transaction);
    return this.#engine.withSpace(bytes, () => this.#transact(transaction, signal));
  }

  watch(query: WatchQuery): AsyncIterable<WatchBatch> {
    checkWatch(query);
    return watchChanges(this.#engine, query, this.#clock);
  }

  async compact(revision: bigint, { signal }: CallOptions = {}): Promise<Answer> {
    checkRevision(revision);
    const engine = this.#engine;
    await engine.usable(signal);
    const { history } = engine;
    if (revision <= history.compactRevision) throw compacted(revision, history.compactRevision);
    if (revision > engine.revision) throw futureRevision(revision, engine.revision);
    const { dropped, steps } = history.compact(revision);
    const values = dropped.filter(({ deleted }) => !deleted);
    const writes = [
      ...values.map((version) => [valueKey(version), null] as const),
      ...steps.map(writeStep),
      writeState(history.revision, revision),
    ];
    return engine.commit(writes, async () => {
      if (values.length > 0) engine.disk.reclaim(revision);
      return { revision: engine.revision };
    });
  }

  async grantLease(seconds: number, { signal }: CallOptions = {}): Promise<LeaseAnswer> {
    checkLeaseSeconds(seconds);
    const engine = this.#engine;
    await engine.usable(signal);
    return engine.withSpace(0, async () => {
      await engine.usable(signal);
      const id = newLeaseId();
      engine.leases.add(id, seconds, this.#clock.now() + seconds * 1000);
      const answer = async () => ({ revision: engine.revision, id, seconds });
      return engine.commit([writeLease(id, seconds)], answer);
    });
  }

  async refreshLease(id: bigint, { signal }: CallOptions = {}): Promise<LeaseAnswer> {
    checkLease(id);
    await this.#engine.usable(signal);
    const lease = this.#liveLease(id);
    lease.expiresAt = this.#clock.now() + lease.seconds * 1000;
    return { revision: this.#engine.revision, id, seconds: lease.seconds };
  }

  keepLease(lease: Pick<LeaseAnswer, "id" | "seconds">): KeptLease {
    checkLease(lease.id);
    checkLeaseSeconds(lease.seconds);
    const refresh = async (id: bigint, signal: AbortSignal) =>
      (await this.refreshLease(id, { signal })).seconds;
    return new LeaseKeeper(lease, refresh, this.#clock);
  }

  async getLease(id: bigint, { signal }: CallOptions = {}): Promise<LeaseStatus> {
    checkLease(id);
    await this.#engine.usable(signal);
    const { seconds, expiresAt, keys } = this.#liveLease(id);
    const remainingSeconds = Math.floor((expiresAt - this.#clock.now()) / 1000);
    const { revision } = this.#engine;
    return { revision, id, seconds, remainingSeconds, keys: [...keys].sort() };
  }

  async revokeLease(id: bigint, { signal }: CallOptions = {}): Promise<Answer> {
    checkLease(id);
    await this.#engine.usable(signal);
    this.#liveLease(id);
    await removeLease(this.#engine, id);
    return { revision: this.#engine.revision };
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await this.#expiring;
  }

  async #transact(
    transaction: Transaction,
    signal: AbortSignal | undefined,
  ): Promise<TransactionAnswer> {
    const engine = this.#engine;
    await engine.usable(signal);
    const now = this.#clock.now();
    const outcome = evaluate(transaction, engine.history, engine.leases, now);
    // What shares its sync with others is on the disk with theirs.
    const { revision } = engine.history;
    return engine.commit(outcome.writes, async () => ({
      revision,
      succeeded: outcome.succeeded,
      results: await this.#results(outcome.results),
    }));
  }

  #liveLease(id: bigint): Lease {
    const lease = this.#engine.leases.live(id, this.#clock.now());
    if (lease === undefined) throw leaseNotFound(id);
    return lease;
  }

  async #results(pending: readonly PendingResult[]): Promise<OperationResult[]> {
    const read = pending.flatMap((one) => (one.do === "get" && one.version ? [one.version] : []));
    const values = await this.#engine.disk.values(read);
    let index = 0;
    return pending.map((result): OperationResult => {
      if (result.do !== "get") return result;
      if (result.version === undefined) return { do: "get", entry: undefined };
      const value = values[index++];
      if (value === undefined) throw valueMissing();
      return { do: "get", entry: entryOf(result.version, value) };
    });
  }
}

function puts({ success = [], failure = [] }: Transaction): boolean {
  return [...success, ...failure].some((operation) => operation.do === "put");
}

/** At random, from 1 to 2^63 - 1, as etcd's. */
function newLeaseId(): bigint {
  return (randomBytes(8).readBigUInt64BE() >> 1n) | 1n;
}
