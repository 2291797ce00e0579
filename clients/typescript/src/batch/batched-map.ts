import { status } from "@grpc/grpc-js";
import type { CallOptions } from "../call-options.js";
import { throwIfAborted } from "../call-options.js";
import { packColumn, packElements, sizeMismatch, unpackColumn } from "../columns.js";
import { cancelledBy } from "../connection.js";
import { elementError } from "../element-failure.js";
import { BpfmapError, protocolError } from "../errors.js";
import { type ElementFailure, OnError, UpdateMode } from "../gen/bpfmap/v1/element_pb.js";
import type { Map as BpfMap, MapRef } from "../gen/bpfmap/v1/map_pb.js";
import type { MapService } from "../gen/bpfmap/v1/map_service_pb.js";
import type { ServiceClient } from "../service-client.js";
import type { Operation, OperationKind } from "./operation.js";
import { type BatchLimits, OperationQueue } from "./operation-queue.js";

/** How single calls share requests. */
export interface BatchingOptions {
  /** Most operations of one request; 1024 where absent. */
  maxOperations?: number;
  /** Most bytes of keys and values of one request; 1 MiB where absent. */
  maxBytes?: number;
}

/** Options of a call that shares its request with others: it has no deadline of its own. */
export type BatchedCallOptions = Pick<CallOptions, "signal">;

const NO_BYTES = new Uint8Array(0);

/**
 * Lookups, updates and deletes of single elements that share requests. While a request
 * is under way, calls gather; the next request takes all of them. So a lone caller waits
 * for nobody, and many callers together cost few requests.
 *
 * Calls behave as those of MapHandle, each with a result or error of its own, and what
 * one caller calls in an order takes effect in it. A signal that fires ends its own call
 * only; what was sent already may still be done.
 */
export class BatchedMap {
  readonly #maps: ServiceClient<typeof MapService>;
  readonly #ref: MapRef;
  readonly #sizes: Pick<BpfMap, "keySize" | "valueStride">;
  readonly #limits: BatchLimits;
  readonly #queue = new OperationQueue();
  #isSending = false;

  /** Use MapHandle.batched(). @internal */
  constructor(
    maps: ServiceClient<typeof MapService>,
    ref: MapRef,
    sizes: Pick<BpfMap, "keySize" | "valueStride">,
    options: BatchingOptions = {},
  ) {
    this.#maps = maps;
    this.#ref = ref;
    this.#sizes = sizes;
    this.#limits = {
      operations: options.maxOperations ?? 1024,
      bytes: options.maxBytes ?? 1 << 20,
    };
  }

  /** The value of a key, of value_stride bytes; undefined where there is no such element. */
  lookup(key: Uint8Array, options?: BatchedCallOptions): Promise<Uint8Array | undefined> {
    return this.#call({ kind: "lookup" }, key, NO_BYTES, options);
  }

  /** Adds the element or changes its value, as `mode` allows. */
  update(
    key: Uint8Array,
    value: Uint8Array,
    options?: BatchedCallOptions & { mode?: UpdateMode },
  ): Promise<void> {
    const { valueStride } = this.#sizes;
    if (value.length !== valueStride) {
      return Promise.reject(sizeMismatch("elements.values", 0, value.length, valueStride));
    }
    return this.#call(
      { kind: "update", mode: options?.mode ?? UpdateMode.ANY },
      key,
      value,
      options,
    );
  }

  /** Deletes the element; false where there is no such element. */
  delete(key: Uint8Array, options?: BatchedCallOptions): Promise<boolean> {
    return this.#call({ kind: "delete" }, key, NO_BYTES, options);
  }

  #call<T>(
    what: OperationKind,
    key: Uint8Array,
    value: Uint8Array,
    { signal }: BatchedCallOptions = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      throwIfAborted(signal);
      const { keySize } = this.#sizes;
      if (key.length !== keySize) throw sizeMismatch("keys", 0, key.length, keySize);
      const abort = () => {
        this.#queue.remove(operation);
        reject(cancelledBy(signal as AbortSignal));
      };
      const operation: Operation = {
        what,
        // The caller may fill its buffers anew before the request is made.
        key: Uint8Array.from(key),
        value: Uint8Array.from(value),
        resolve: (result) => {
          signal?.removeEventListener("abort", abort);
          resolve(result as T);
        },
        reject: (error) => {
          signal?.removeEventListener("abort", abort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#queue.add(operation);
      this.#send();
    });
  }

  /** Sends what waits, one request after another: so order is kept and calls gather. */
  async #send(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      // What is called in the same turn belongs together.
      await undefined;
      while (!this.#queue.isEmpty) {
        await this.#settle(this.#queue.take(this.#limits, (each) => this.#bytesOf(each)));
      }
    } finally {
      this.#isSending = false;
    }
  }

  #bytesOf({ what, key, value }: Operation): number {
    return key.length + (what.kind === "lookup" ? this.#sizes.valueStride : value.length);
  }

  /** Makes a batch's request and gives every call what became of it. */
  async #settle(batch: readonly Operation[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    try {
      const results = await this.#request(first.what, batch);
      for (const [index, operation] of batch.entries()) {
        const result = results(index);
        if (result instanceof BpfmapError) operation.reject(result);
        else operation.resolve(result);
      }
    } catch (error) {
      if (isRefusedWhole(error) && batch.length > 1) {
        // Nothing was done, for one operation's sake: each goes alone.
        for (const operation of batch) await this.#settle([operation]);
        return;
      }
      for (const operation of batch) operation.reject(error);
    }
  }

  /** Answers with what became of each operation. */
  async #request(
    what: OperationKind,
    batch: readonly Operation[],
  ): Promise<(index: number) => Uint8Array | boolean | undefined | BpfmapError> {
    const count = batch.length;
    const common = { map: this.#ref, onError: OnError.CONTINUE };
    switch (what.kind) {
      case "lookup": {
        const keys = columnOf(batch);
        const answer = await this.#maps.lookupElements({ ...common, keys, count });
        if (answer.elements?.count !== count) {
          throw protocolError(
            `the daemon answered ${answer.elements?.count ?? 0} of ${count} elements`,
          );
        }
        const values = unpackColumn(answer.elements.values, count);
        return outcomes(answer.failures, undefined, (index) => values[index]);
      }
      case "update": {
        const elements = packElements(batch.map(({ key, value }) => [key, value] as const));
        const { failures } = await this.#maps.updateElements({
          ...common,
          elements,
          mode: what.mode,
        });
        return outcomes(failures, "fails", () => undefined);
      }
      case "delete": {
        const keys = columnOf(batch);
        const { failures } = await this.#maps.deleteElements({ ...common, keys, count });
        return outcomes(failures, false, () => true);
      }
    }
  }
}

function columnOf(batch: readonly Operation[]): Uint8Array {
  return packColumn(
    batch.map(({ key }) => key),
    "keys",
  );
}

/** `missing`: what an element that is not there means; "fails" for an error. */
function outcomes<T>(
  failures: readonly ElementFailure[],
  missing: T | "fails",
  succeeded: (index: number) => T,
): (index: number) => T | BpfmapError {
  const failed = new Map(failures.map((failure) => [failure.index, elementError(failure)]));
  return (index) => {
    const error = failed.get(index);
    if (error === undefined) return succeeded(index);
    return missing !== "fails" && error.reason === "ELEMENT_NOT_FOUND" ? missing : error;
  };
}

/** Whether the daemon refused the request before it changed anything. */
function isRefusedWhole(error: unknown): boolean {
  return error instanceof BpfmapError && error.code === status.INVALID_ARGUMENT;
}
