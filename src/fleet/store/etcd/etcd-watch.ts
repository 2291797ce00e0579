import { status } from "@grpc/grpc-js";
import { KV, Watch, type WatchResponse } from "../gen/etcd/api/etcdserverpb/rpc_pb.js";
import type { WatchBatch, WatchQuery } from "../store.js";
import { compacted, StoreError, storeClosed } from "../store-error.js";
import type { Endpoint, EndpointStream } from "./endpoint.js";
import { type EtcdCaller, joined } from "./etcd-caller.js";
import { etcdFailure, serviceError } from "./etcd-failure.js";
import { type Messages, revisionOf } from "./messages.js";

/** How long a member may take to begin a watch before another one is asked. */
const BEGIN_MS = 5_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 2_000;

/** Tells changes of a range; see Store.watch. After a cut it goes on after the last revision it told. */
export class EtcdWatch {
  readonly #caller: EtcdCaller;
  readonly #messages: Messages;
  readonly #query: WatchQuery;
  /** The first revision that has not been told. */
  #next: bigint;
  /** Whether etcd told of the revision before, which it therefore must have. */
  #hasTold = false;
  #longestPauseMs = FIRST_PAUSE_MS;

  constructor(caller: EtcdCaller, messages: Messages, query: WatchQuery) {
    this.#caller = caller;
    this.#messages = messages;
    this.#query = query;
    // There are no changes at revision 1.
    this.#next = query.from > 2n ? query.from : 2n;
  }

  async *batches(): AsyncGenerator<WatchBatch> {
    const { signal, onInterrupted } = this.#query;
    const ends = joined(this.#caller.closed, signal);
    try {
      while (!ends.signal.aborted) {
        try {
          yield* this.#untilCut(ends.signal);
        } catch (error) {
          if (ends.signal.aborted) break;
          if (!isPassing(error)) throw error;
          onInterrupted?.(error);
          await this.#pause(ends.signal);
        }
      }
      if (this.#caller.closed.aborted && !signal?.aborted) throw storeClosed();
    } finally {
      ends.release();
    }
  }

  /** One stream, until it ends: always with an error. */
  async *#untilCut(signal: AbortSignal): AsyncGenerator<WatchBatch, never> {
    const { endpoint, token } = await this.#begin(signal);
    const stream = endpoint.stream(Watch.method.watch, token);
    const cancel = () => stream.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    const overdue = setTimeout(cancel, BEGIN_MS);
    try {
      stream.send(this.#request());
      for await (const response of stream) {
        clearTimeout(overdue);
        const batch = this.#batch(response);
        if (batch === undefined) continue;
        // Before it is told, since the reader may stop there.
        this.#next = batch.revision + 1n;
        this.#hasTold = true;
        this.#longestPauseMs = FIRST_PAUSE_MS;
        yield batch;
      }
      throw new StoreError("UNAVAILABLE", `etcd at ${endpoint.target} ended a watch`);
    } catch (error) {
      this.#caller.leave(endpoint);
      throw asWatchError(error, endpoint);
    } finally {
      clearTimeout(overdue);
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  }

  /**
   * Finds a member that answers, and has etcd say whether the revision before the first is still
   * kept. A watch alone would not tell in two cases: where it begins right at a compaction, etcd
   * before 3.4.34 and 3.5.15 leaves out deletions at that revision (etcd issue 18089); where etcd
   * lost revisions, it waits for them to come again.
   */
  #begin(signal: AbortSignal): Promise<{ endpoint: Endpoint; token: string | undefined }> {
    const query = { range: this.#query.range, revision: this.#next - 1n, limit: 1, keysOnly: true };
    return this.#caller.call(true, { signal }, async (endpoint, token, timeoutMs) => {
      try {
        const request = this.#messages.range(query);
        await endpoint.unary(KV.method.range, request, { token, timeoutMs, signal });
      } catch (error) {
        const { code } = etcdFailure(error, endpoint.target).error;
        if (code === "COMPACTED") throw compacted(this.#next);
        if (code !== "FUTURE_REVISION") throw error;
        if (this.#hasTold) throw this.#historyLost();
      }
      return { endpoint, token };
    });
  }

  #request(): Parameters<EndpointStream<typeof Watch.method.watch.input, never>["send"]>[0] {
    const bounds = this.#messages.bounds(this.#query.range);
    const create = { ...bounds, startRevision: this.#next, progressNotify: true };
    return { requestUnion: { case: "createRequest", value: create } };
  }

  #batch(response: WatchResponse): WatchBatch | undefined {
    const { canceled, cancelReason, compactRevision, created } = response;
    if (compactRevision > 0n) throw compacted(this.#next, compactRevision);
    if (canceled) throw serviceError(status.UNAVAILABLE, cancelReason);
    if (created) return undefined;
    const events = response.events
      .map((event) => this.#messages.event(event))
      .filter((event) => revisionAt(event) >= this.#next);
    const last = events.at(-1);
    // Without events, it tells how far etcd has come.
    const revision = last === undefined ? revisionOf(response.header) : revisionAt(last);
    return revision < this.#next ? undefined : { revision, events };
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { clock } = this.#caller;
    const ms = this.#longestPauseMs * (0.5 + clock.random() / 2);
    this.#longestPauseMs = Math.min(LONGEST_PAUSE_MS, this.#longestPauseMs * 2);
    await clock.sleep(ms, signal).catch(() => {});
  }

  #historyLost(): StoreError {
    return new StoreError(
      "HISTORY_LOST",
      `etcd no longer has revision ${this.#next - 1n}, which it told before: it was restored from` +
        " an older copy; read anew",
    );
  }
}

function revisionAt(event: WatchBatch["events"][number]): bigint {
  return event.type === "put" ? event.entry.modRevision : event.modRevision;
}

/** A token that has become old is no reason to end: the next beginning asks for a new one. */
function asWatchError(error: unknown, { target }: Endpoint): StoreError {
  if (error instanceof StoreError) return error;
  const failure = etcdFailure(error, target);
  if (failure.remedy !== "login") return failure.error;
  return new StoreError("UNAVAILABLE", failure.error.message, { cause: error });
}

/** Whether the watch may go on later. */
function isPassing(error: unknown): error is StoreError {
  if (!(error instanceof StoreError)) return false;
  return error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED";
}
