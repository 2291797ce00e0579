import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { Backoff } from "./backoff.js";
import type { CallOptions } from "./call-options.js";
import { canPass } from "./can-pass.js";
import { type CpuViewOptions, cpuView } from "./cpu.js";
import { BpfmapError } from "./errors.js";
import { type Format, Projection, type TypingSchema } from "./gen/bpfmap/v1/element_pb.js";
import type { MapRef } from "./gen/bpfmap/v1/map_pb.js";
import {
  OnRecreate,
  ResyncReason,
  type WatchCreated,
  type WatchFidelity,
  type WatchFilterSchema,
  type WatchRequestSchema,
  type WatchResponse,
  WatchStart,
} from "./gen/bpfmap/v1/watch_pb.js";
import type { ResponseStream } from "./response-stream.js";
import { type WatchEvent, watchEventsOf } from "./watch-event.js";

/** What to watch and how. */
export interface WatchOptions extends Omit<CallOptions, "deadlineMs">, CpuViewOptions {
  /** Which elements; all where absent. They are chosen on the host. */
  filter?: MessageInitShape<typeof WatchFilterSchema>;
  /** Begin with changes from now on; without it the contents come first. */
  updatesOnly?: boolean;
  /**
   * Go on where an earlier watch of the same map with the same filter, columns and view
   * stood: its `resumeToken`. Where that cannot be, a `resync` comes first.
   */
  resumeToken?: Uint8Array;
  /** How much must not be missed; LATEST where absent. */
  fidelity?: WatchFidelity;
  /** Longest time between two scans, in milliseconds, from 10; the daemon's default where absent. */
  pollIntervalMs?: number;
  /** Send keys only. */
  keysOnly?: boolean;
  /** Send the value that a change replaced, where the daemon knows it. */
  previousValues?: boolean;
  /** How keys and values stand in changes: bytes, JSON or both; bytes where absent. */
  format?: Format;
  /** Types instead of the map's own, for JSON. */
  typing?: MessageInitShape<typeof TypingSchema>;
  /** Longest time without a bookmark, in milliseconds, from 100; 10 seconds where absent. */
  bookmarkIntervalMs?: number;
  /** When the map is gone, wait for its pin, name or hold to stand for another one. */
  follow?: boolean;
  /**
   * Called when the connection is lost, with what failed, once until the stream is there
   * again: a `created` event then tells so.
   */
  onLost?: (error: BpfmapError) => void;
}

/** Makes the call; `client.maps.watch`. */
type WatchCall = (
  request: MessageInitShape<typeof WatchRequestSchema>,
  options: CallOptions,
) => ResponseStream<WatchResponse>;

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
  /** Whether nothing was told since it was said that the contents follow anew. */
  #isStartingOver = false;

  /** Use MapHandle.watch(). @internal */
  constructor(map: MapRef, call: WatchCall, options: WatchOptions = {}) {
    this.#call = call;
    this.#options = options;
    this.#request = watchRequest(map, options);
    this.#resumeToken = options.resumeToken;
  }

  /** Where the stream stands: what a later watch could resume from, while the daemon runs. */
  get resumeToken(): Uint8Array | undefined {
    return this.#resumeToken;
  }

  /** The events, once; leaving the loop ends the call. */
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
    let isLost = false;
    for (;;) {
      try {
        for await (const message of this.#open(signal)) {
          isLost = false;
          // Not before: what ends again at once must not be called without a pause.
          if (message.kind.case === "bookmark") backoff.reset();
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
        if (!isLost) this.#options.onLost?.(BpfmapError.from(error));
        isLost = true;
      }
      if (!(await this.#pause(backoff, signal))) return undefined;
      // Nothing to resume from: what comes is a snapshot, which replaces what was told.
      if (!this.#resumeToken && !this.#isStartingOver) {
        this.#isStartingOver = true;
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
    // Made by a daemon whose key is lost; the contents come anew.
    if (error.reason === "RESUME_TOKEN_INVALID" && this.#resumeToken) {
      this.#resumeToken = undefined;
      return true;
    }
    return error.code === status.NOT_FOUND || canPass(error);
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
      const { reason } = signal;
      throw new BpfmapError("the watch was cancelled", { code: status.CANCELLED, cause: reason });
    }
  }

  *#eventsOf(response: WatchResponse): Generator<WatchEvent> {
    this.#note(response);
    yield* watchEventsOf(response, this.#created);
  }

  #note({ kind }: WatchResponse): void {
    switch (kind.case) {
      case "created":
        this.#created = kind.value;
        return;
      case "events":
        this.#isStartingOver = false;
        return;
      case "bookmark":
        this.#isStartingOver = false;
        this.#resumeToken = kind.value.resumeToken;
        return;
      case "resync":
        // Until the snapshot is whole there is nothing to resume from.
        this.#resumeToken = undefined;
        this.#isStartingOver = true;
        return;
      case "mapGone":
        this.#resumeToken = undefined;
    }
  }
}

/** The request of a watch, without where it begins. */
export function watchRequest(
  map: MapRef,
  options: Omit<WatchOptions, "resumeToken" | "updatesOnly" | "onLost">,
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
    format: options.format,
    typing: options.typing,
    bookmarkInterval:
      bookmarkIntervalMs === undefined ? undefined : durationFromMs(bookmarkIntervalMs),
    onRecreate: options.follow ? OnRecreate.FOLLOW : OnRecreate.END,
  };
}
