import {
  checkKey,
  checkLease,
  checkLeaseSeconds,
  checkRangeQuery,
  checkRevision,
  checkTransaction,
  checkWatch,
} from "../check.js";
import { KV, Lease } from "../gen/etcd/api/etcdserverpb/rpc_pb.js";
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
import { leaseNotFound } from "../store-error.js";
import type { Transaction } from "../transaction.js";
import type { EtcdCaller } from "./etcd-caller.js";
import { EtcdWatch } from "./etcd-watch.js";
import { LeaseStream } from "./lease-stream.js";
import { Messages, revisionOf } from "./messages.js";

/** What a refresh may take where its lease would allow for longer: another member may answer sooner. */
const REFRESH_MS = 5_000;

/** The store on etcd. */
export class EtcdStore implements Store {
  readonly #caller: EtcdCaller;
  readonly #messages: Messages;
  readonly #leases = new LeaseStream();

  constructor(caller: EtcdCaller, prefix: string) {
    this.#caller = caller;
    this.#messages = new Messages(prefix);
  }

  async get(key: string, { revision, ...options }: ReadOptions = {}): Promise<GetAnswer> {
    checkKey(key);
    const answer = await this.range({ range: oneKey(key), revision }, options);
    return { revision: answer.revision, entry: answer.entries[0] };
  }

  async range(query: RangeQuery, options: CallOptions = {}): Promise<RangeAnswer> {
    checkRangeQuery(query);
    const request = this.#messages.range(query);
    const answer = await this.#caller.unary(KV.method.range, request, true, options);
    return {
      revision: revisionOf(answer.header),
      entries: answer.kvs.map((entry) => this.#messages.entry(entry)),
      more: answer.more,
      count: Number(answer.count),
    };
  }

  async transact(transaction: Transaction, options: CallOptions = {}): Promise<TransactionAnswer> {
    checkTransaction(transaction);
    const request = this.#messages.transaction(transaction);
    const answer = await this.#caller.unary(KV.method.txn, request, false, options);
    return {
      revision: revisionOf(answer.header),
      succeeded: answer.succeeded,
      results: this.#messages.results(answer.responses),
    };
  }

  watch(query: WatchQuery): AsyncIterable<WatchBatch> {
    checkWatch(query);
    return new EtcdWatch(this.#caller, this.#messages, query).batches();
  }

  async compact(revision: bigint, options: CallOptions = {}): Promise<Answer> {
    checkRevision(revision);
    const answer = await this.#caller.unary(KV.method.compact, { revision }, false, options);
    return { revision: revisionOf(answer.header) };
  }

  async grantLease(seconds: number, options: CallOptions = {}): Promise<LeaseAnswer> {
    checkLeaseSeconds(seconds);
    const request = { TTL: BigInt(seconds) };
    // Should a first try have made one, too, it runs out by itself.
    const answer = await this.#caller.unary(Lease.method.leaseGrant, request, true, options);
    return { revision: revisionOf(answer.header), id: answer.ID, seconds: Number(answer.TTL) };
  }

  async refreshLease(id: bigint, options: CallOptions = {}): Promise<LeaseAnswer> {
    checkLease(id);
    const answer = await this.#caller.call(true, options, (endpoint, token, timeoutMs) =>
      this.#leases.refresh(id, endpoint, token, timeoutMs),
    );
    if (answer.TTL <= 0n) throw leaseNotFound(id);
    return { revision: revisionOf(answer.header), id, seconds: Number(answer.TTL) };
  }

  keepLease(lease: Pick<LeaseAnswer, "id" | "seconds">): KeptLease {
    checkLease(lease.id);
    checkLeaseSeconds(lease.seconds);
    const refresh = async (id: bigint, signal: AbortSignal, leftMs: number) => {
      const deadlineMs = Math.min(leftMs, REFRESH_MS);
      return (await this.refreshLease(id, { signal, deadlineMs })).seconds;
    };
    return new LeaseKeeper(lease, refresh, this.#caller.clock);
  }

  async getLease(id: bigint, options: CallOptions = {}): Promise<LeaseStatus> {
    checkLease(id);
    const request = { ID: id, keys: true };
    const answer = await this.#caller.unary(Lease.method.leaseTimeToLive, request, true, options);
    if (answer.TTL < 0n) throw leaseNotFound(id);
    const ours = answer.keys.filter((key) => this.#messages.isOurs(key));
    return {
      revision: revisionOf(answer.header),
      id,
      seconds: Number(answer.grantedTTL),
      remainingSeconds: Number(answer.TTL),
      keys: ours.map((key) => this.#messages.key(key)).sort(),
    };
  }

  async revokeLease(id: bigint, options: CallOptions = {}): Promise<Answer> {
    checkLease(id);
    const answer = await this.#caller.unary(Lease.method.leaseRevoke, { ID: id }, false, options);
    return { revision: revisionOf(answer.header) };
  }

  async close(): Promise<void> {
    this.#caller.close();
    this.#leases.close();
  }
}
