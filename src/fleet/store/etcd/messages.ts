import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Entry } from "../entry.js";
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  type CompareSchema,
  type RangeRequestSchema,
  type RequestOpSchema,
  type ResponseHeader,
  type ResponseOp,
  type TxnRequestSchema,
} from "../gen/etcd/api/etcdserverpb/rpc_pb.js";
import { type Event, Event_EventType, type KeyValue } from "../gen/etcd/api/mvccpb/kv_pb.js";
import type { KeyRange } from "../key-range.js";
import { LIMITS } from "../limits.js";
import type { RangeQuery, WatchEvent } from "../store.js";
import { StoreError } from "../store-error.js";
import type { Comparison, Operation, OperationResult, Transaction } from "../transaction.js";

const RESULT = {
  "=": Compare_CompareResult.EQUAL,
  "!=": Compare_CompareResult.NOT_EQUAL,
  "<": Compare_CompareResult.LESS,
  ">": Compare_CompareResult.GREATER,
} as const;
const TARGET = {
  version: Compare_CompareTarget.VERSION,
  createRevision: Compare_CompareTarget.CREATE,
  modRevision: Compare_CompareTarget.MOD,
  lease: Compare_CompareTarget.LEASE,
} as const;

/** The store's words in etcd's, and back: keys have the prefix there. */
export class Messages {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  bounds({ from, to }: KeyRange): { key: Uint8Array; rangeEnd: Uint8Array } {
    // etcd takes an empty key for one that is missing; the first one that can be is "\0".
    return {
      key: this.#bytes(from === "" && this.#prefix === "" ? "\0" : from),
      rangeEnd: this.#bytes(to),
    };
  }

  range({
    range,
    revision,
    limit = LIMITS.rangeEntries,
    keysOnly,
  }: RangeQuery): MessageInitShape<typeof RangeRequestSchema> {
    return { ...this.bounds(range), revision, limit: BigInt(limit), keysOnly };
  }

  transaction(transaction: Transaction): MessageInitShape<typeof TxnRequestSchema> {
    const { compare = [], success = [], failure = [] } = transaction;
    return {
      compare: compare.map((comparison) => this.#comparison(comparison)),
      success: success.map((operation) => this.#operation(operation)),
      failure: failure.map((operation) => this.#operation(operation)),
    };
  }

  results(responses: readonly ResponseOp[]): OperationResult[] {
    return responses.map(({ response }): OperationResult => {
      switch (response.case) {
        case "responsePut":
          return { do: "put" };
        case "responseDeleteRange":
          return { do: "delete", deleted: response.value.deleted > 0n };
        case "responseRange": {
          const [entry] = response.value.kvs;
          return { do: "get", entry: entry && this.entry(entry) };
        }
        default:
          throw new StoreError("INTERNAL", `etcd answers a transaction with ${response.case}`);
      }
    });
  }

  entry({ key, value, createRevision, modRevision, version, lease }: KeyValue): Entry {
    return { key: this.key(key), value, createRevision, modRevision, version, lease };
  }

  event({ type, kv }: Event): WatchEvent {
    if (kv === undefined) throw new StoreError("INTERNAL", "etcd tells of an event without a key");
    if (type === Event_EventType.PUT) return { type: "put", entry: this.entry(kv) };
    return { type: "delete", key: this.key(kv.key), modRevision: kv.modRevision };
  }

  /** The store's key of one of etcd's. */
  key(bytes: Uint8Array): string {
    const { buffer, byteOffset, byteLength } = bytes;
    return Buffer.from(buffer, byteOffset, byteLength)
      .toString("latin1")
      .slice(this.#prefix.length);
  }

  /** Whether one of etcd's keys is of this store. */
  isOurs(bytes: Uint8Array): boolean {
    return Buffer.from(bytes).toString("latin1").startsWith(this.#prefix);
  }

  #comparison({ key, target, is, than }: Comparison): MessageInitShape<typeof CompareSchema> {
    return {
      key: this.#bytes(key),
      target: TARGET[target],
      result: RESULT[is],
      targetUnion: { case: target, value: than },
    };
  }

  #operation(operation: Operation): MessageInitShape<typeof RequestOpSchema> {
    const key = this.#bytes(operation.key);
    switch (operation.do) {
      case "put": {
        const { value, lease } = operation;
        return { request: { case: "requestPut", value: { key, value, lease } } };
      }
      case "delete":
        return { request: { case: "requestDeleteRange", value: { key } } };
      case "get":
        return { request: { case: "requestRange", value: { key } } };
    }
  }

  #bytes(key: string): Uint8Array {
    return Buffer.from(this.#prefix + key, "latin1");
  }
}

/** The revision of an answer. */
export function revisionOf(header: ResponseHeader | undefined): bigint {
  if (header !== undefined) return header.revision;
  throw new StoreError("INTERNAL", "etcd answers without a header");
}
