import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { Backoff } from "./backoff.js";
import type { CallOptions } from "./call-options.js";
import { type CpuViewOptions, cpuView } from "./cpu.js";
import { BpfmapError, protocolError } from "./errors.js";
import { Projection } from "./gen/bpfmap/v1/element_pb.js";
import type { MapRef } from "./gen/bpfmap/v1/map_pb.js";
import {
  OnRecreate,
  ResyncReason,
  type WatchBookmark,
  type WatchCreated,
  type WatchEvents,
  type WatchFidelity,
  type WatchFilterSchema,
  type WatchRequestSchema,
  type WatchResponse,
  WatchStart,
  type WatchWriter,
} from "./gen/bpfmap/v1/watch_pb.js";
import type { ResponseStream } from "./response-stream.js";

/** What to watch and how. */
export interface WatchOptions extends Omit<CallOptions, "deadlineMs">, CpuViewOptions {
  /** Which elements; all where absent. They are chosen on the host. */
  filter?: MessageInitShape<typeof WatchFilterSchema>;
  /** Begin with changes from now on; without it the contents come first. */
  updatesOnly?: boolean;
  /** How much must not be missed; LATEST where absent. */
  fidelity?: WatchFidelity;
  /** Longest time between two scans, in milliseconds, from 10; the daemon's default where absent. */
  pollIntervalMs?: number;
  /** Send keys only. */
  keysOnly?: boolean;
  /** Send the value that a change replaced, where the daemon knows it. */
  previousValues?: boolean;
  /** Longest time without a bookmark, in milliseconds, from 100; 10 seconds where absent. */
  bookmarkIntervalMs?: number;
  /** When the map is gone, wait for its pin, name or hold to stand for another one. */
  follow?: boolean;
}

/** An element that was added or changed. */
export interface PutEvent {
  readonly type: "put";
  readonly key: Uint8Array;
  /** Empty with keysOnly. */
  readonly value: Uint8Array;
  /** With previousValues: the value before, where there was one and it is known. */
  readonly previous: Uint8Array | undefined;
  /** Whether it is part of a snapshot. */
  readonly initial: boolean;
  readonly revision: bigint;
  /** Who did it, where it is known. */
  readonly writer: WatchWriter | undefined;
}

/** An element that was deleted. */
export interface DeleteEvent {
  readonly type: "delete";
  readonly key: Uint8Array;
  readonly previous: Uint8Array | undefined;
  readonly revision: bigint;
  readonly writer: WatchWriter | undefined;
}

/**
 * What a watch yields.
 *
 * - `created`: first, and each time the stream was made anew.
 * - `put` and `delete`: changes. Apply them in order.
 * - `synced`: a snapshot is whole. Keys that were in neither its puts nor changes since
 *   the `resync` before it (or since the start) are not in the map.
 * - `bookmark`: everything up to its revision has been told.
 * - `resync`: what was told so far may no longer be the map's contents; a snapshot follows.
 * - `gone`: the map was freed. With follow another one is waited for, otherwise it is the last.
 */
export type WatchEvent =
  | { readonly type: "created"; readonly created: WatchCreated }
  | PutEvent
  | DeleteEvent
  | { readonly type: "synced"; readonly bookmark: WatchBookmark }
  | { readonly type: "bookmark"; readonly bookmark: WatchBookmark }
  | {
      readonly type: "resync";
      /** UNSPECIFIED where the connection was lost before there was anything to resume from. */
      readonly reason: ResyncReason;
      readonly lost: bigint;
    }
  | { readonly type: "gone"; readonly id: number };

/** Makes the call; `client.maps.watch`. */
type WatchCall = (
  request: MessageInitShape<typeof WatchRequestSchema>,
  options: CallOptions,
) => ResponseStream<WatchResponse>;

/** Failures after which another attempt can succeed. */
const PASSING: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.ABORTED,
  status.RESOURCE_EXHAUSTED,
  status.DEADLINE_EXCEEDED,
]);

/**
 * A map's contents and their changes, to be iterated once. It outlives cut connections
 * and restarts of the daemon: it connects again, with growing pauses, and goes on where
 * it was; where that cannot be, a `resync` says so and the contents follow anew.
 *
 * Leaving the loop ends it. It throws what cannot pass: a map that is not there at the
 * first call, a bad request, a refused permission.
 */
export class Watch implements AsyncIterable<WatchEvent> {
  readonly #call: WatchCall;
  readonly #request: MessageInitShape<typeof WatchRequestSchema>;
  readonly #options: WatchOptions;
  readonly #ended = new AbortController();
  #resumeToken: Uint8Array | undefined;
  #created: WatchCreated | undefined;

  /** Use MapHandle.watch(). */
  constructor(map: MapRef, call: WatchCall, options: WatchOptions = {}) {
    this.#call = call;
    this.#options = options;
    this.#request = watchRequest(map, options);
  }

  /** Where the stream stands: what a later watch could resume from, while the daemon runs. */
  get resumeToken(): Uint8Array | undefined {
    return this.#resumeToken;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<WatchEvent, undefined> {
    const events = this.#events();
    return {
      next: () => events.next(),
      // A generator answers return() only after the next() before it, which may wait for
      // the daemon for ever: so the call is ended first.
      return: () => {
        this.#ended.abort();
        return events.return(undefined);
      },
      throw: (error) => {
        this.#ended.abort();
        return events.throw(error);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async *#events(): AsyncGenerator<WatchEvent, undefined> {
    const { signal: given } = this.#options;
    const signal = given ? AbortSignal.any([given, this.#ended.signal]) : this.#ended.signal;
    const backoff = new Backoff();
    for (;;) {
      try {
        for await (const message of this.#open(signal)) {
          backoff.reset();
          yield* this.#eventsOf(message);
        }
        return undefined;
      } catch (error) {
        if (this.#ended.signal.aborted) return undefined;
        if (this.#isGone(error)) {
          yield { type: "gone", id: this.#created?.map?.id ?? 0 };
          return undefined;
        }
        if (!this.#canPass(error)) throw error;
      }
      if (!(await this.#pause(backoff, signal))) return undefined;
      // Nothing to resume from: what comes is a snapshot, which replaces what was told.
      if (!this.#resumeToken) {
        yield { type: "resync", reason: ResyncReason.UNSPECIFIED, lost: 0n };
      }
    }
  }

  #open(signal: AbortSignal): ResponseStream<WatchResponse> {
    const start = this.#resumeToken
      ? { case: "resumeToken" as const, value: this.#resumeToken }
      : { case: "from" as const, value: this.#firstStart() };
    const { metadata } = this.#options;
    return this.#call({ ...this.#request, start }, { signal, metadata });
  }

  #firstStart(): WatchStart {
    const isFirst = this.#created === undefined;
    return isFirst && this.#options.updatesOnly ? WatchStart.UPDATES : WatchStart.SNAPSHOT;
  }

  /** Whether another attempt can succeed. The first call fails at once: it may be a wrong address. */
  #canPass(error: unknown): boolean {
    if (!(error instanceof BpfmapError) || this.#created === undefined) return false;
    return PASSING.has(error.code) || error.code === status.NOT_FOUND;
  }

  /** Whether the map was freed while the connection was lost, and no other is waited for. */
  #isGone(error: unknown): boolean {
    if (this.#created === undefined || this.#options.follow) return false;
    return error instanceof BpfmapError && error.code === status.NOT_FOUND;
  }

  /** Waits before another attempt; false where the loop was left meanwhile. */
  async #pause(backoff: Backoff, signal: AbortSignal): Promise<boolean> {
    try {
      await backoff.pause(signal);
      return true;
    } catch {
      if (this.#ended.signal.aborted) return false;
      throw BpfmapError.from(signal.reason);
    }
  }

  *#eventsOf({ kind }: WatchResponse): Generator<WatchEvent> {
    switch (kind.case) {
      case "created":
        this.#created = kind.value;
        yield { type: "created", created: kind.value };
        return;
      case "events":
        yield* changesOf(kind.value, this.#created);
        return;
      case "bookmark":
        this.#resumeToken = kind.value.resumeToken;
        yield { type: kind.value.snapshotDone ? "synced" : "bookmark", bookmark: kind.value };
        return;
      case "resync":
        // Until the snapshot is whole there is nothing to resume from.
        this.#resumeToken = undefined;
        yield { type: "resync", reason: kind.value.reason, lost: kind.value.lost };
        return;
      case "mapGone":
        this.#resumeToken = undefined;
        yield { type: "gone", id: kind.value.id };
        return;
      default:
        throw protocolError("the daemon sent an empty message in a watch");
    }
  }
}

function watchRequest(
  map: MapRef,
  options: WatchOptions,
): MessageInitShape<typeof WatchRequestSchema> {
  const { pollIntervalMs, bookmarkIntervalMs } = options;
  return {
    map,
    filter: options.filter,
    fidelity: options.fidelity,
    pollInterval: pollIntervalMs === undefined ? undefined : durationFromMs(pollIntervalMs),
    projection: options.keysOnly ? Projection.KEYS : Projection.KEYS_AND_VALUES,
    cpuView: cpuView(options),
    previousValues: options.previousValues,
    bookmarkInterval:
      bookmarkIntervalMs === undefined ? undefined : durationFromMs(bookmarkIntervalMs),
    onRecreate: options.follow ? OnRecreate.FOLLOW : OnRecreate.END,
  };
}

/** The changes of a message one by one; keys and values are views of it. */
function* changesOf(
  events: WatchEvents,
  created: WatchCreated | undefined,
): Generator<PutEvent | DeleteEvent> {
  if (!created?.map) throw protocolError("the daemon sent changes before it named the map");
  const { keySize } = created.map;
  const stride = created.valueStride;
  const { puts, deletes, revision, initial, writers } = events;
  const putCount = puts?.count ?? 0;
  const previousOf = (index: number): Uint8Array | undefined => {
    const isKnown = ((events.previousPresent[index >> 3] ?? 0) >> (index & 7)) & 1;
    return isKnown ? events.previous.subarray(index * stride, (index + 1) * stride) : undefined;
  };
  for (let index = 0; index < putCount; index++) {
    yield {
      type: "put",
      key: puts!.keys.subarray(index * keySize, (index + 1) * keySize),
      value: puts!.values.subarray(index * stride, (index + 1) * stride),
      previous: previousOf(index),
      initial,
      revision,
      writer: writers[index],
    };
  }
  for (let index = 0; index < (deletes?.count ?? 0); index++) {
    yield {
      type: "delete",
      key: deletes!.keys.subarray(index * keySize, (index + 1) * keySize),
      previous: previousOf(putCount + index),
      revision,
      writer: writers[putCount + index],
    };
  }
}
