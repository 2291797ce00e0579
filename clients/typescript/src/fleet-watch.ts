import type { MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { Backoff } from "./backoff.js";
import type { CallOptions } from "./call-options.js";
import { canPass } from "./can-pass.js";
import { endedFirst } from "./ended-first.js";
import { BpfmapError, protocolError } from "./errors.js";
import type { HostSelectorSchema } from "./gen/bpfmap/fleet/v1/selector_pb.js";
import type {
  WatchFleetRequestSchema,
  WatchFleetResponse,
} from "./gen/bpfmap/fleet/v1/watch_pb.js";
import type { MapRef } from "./gen/bpfmap/v1/map_pb.js";
import { type WatchCreated, type WatchResponse, WatchStart } from "./gen/bpfmap/v1/watch_pb.js";
import type { ResponseStream } from "./response-stream.js";
import { type WatchOptions, watchRequest } from "./watch.js";
import { type WatchEvent, watchEventsOf } from "./watch-event.js";

/** What to watch on which hosts. */
export interface FleetWatchOptions extends Omit<WatchOptions, "resumeToken"> {
  /** Which hosts; all unless given. Those that come to match are watched from then on. */
  hosts?: MessageInitShape<typeof HostSelectorSchema>;
  /** Where an earlier watch stood: its `positions`. All other hosts begin anew. */
  positions?: ReadonlyMap<string, Uint8Array>;
  /** Hosts whose contents are read at a time. Default 64. */
  concurrency?: number;
}

/**
 * What a watch of a fleet yields. What is told of one host is in order.
 *
 * - `started`: so many hosts match; first, and each time the stream was made anew.
 * - `begun`: a host's stream has begun. Unless `resumed`, what was told of the host counts no
 *   more, and its contents follow.
 * - `event`: what a host's stream tells.
 * - `lost`: a host's stream is not there, for now. Without an error its map is gone, and no
 *   other is waited for.
 * - `left`: a host is not watched any more: what was told of it counts no more.
 */
export type FleetWatchEvent =
  | { readonly kind: "started"; readonly hosts: number }
  | { readonly kind: "begun"; readonly hostId: string; readonly resumed: boolean }
  | { readonly kind: "event"; readonly hostId: string; readonly event: WatchEvent }
  | { readonly kind: "lost"; readonly hostId: string; readonly error: BpfmapError | undefined }
  | { readonly kind: "left"; readonly hostId: string };

/** Makes the call. */
type WatchFleetCall = (
  request: MessageInitShape<typeof WatchFleetRequestSchema>,
  options: CallOptions,
) => ResponseStream<WatchFleetResponse>;

/** What is known of a host. */
interface WatchedHost {
  created?: WatchCreated;
  position?: Uint8Array | undefined;
}

/**
 * A map on many hosts, to be iterated once. It outlives cut connections and relays that go: it
 * connects again, with growing pauses, and each host goes on where it was.
 *
 * Leaving the loop ends it. It throws what cannot pass: a bad request, a refused permission, a
 * relay that cannot be reached at first.
 */
export class FleetWatch implements AsyncIterable<FleetWatchEvent> {
  readonly #call: WatchFleetCall;
  readonly #map: MapRef;
  readonly #options: FleetWatchOptions;
  readonly #hosts = new Map<string, WatchedHost>();
  readonly #ended = new AbortController();
  #hasStarted = false;

  /** Use Fleet.watch(). @internal */
  constructor(map: MapRef, call: WatchFleetCall, options: FleetWatchOptions = {}) {
    this.#call = call;
    this.#map = map;
    this.#options = options;
    for (const [hostId, position] of options.positions ?? []) this.#hosts.set(hostId, { position });
  }

  /** Where the hosts stand: what a later watch could go on from, by any relay of the fleet. */
  get positions(): ReadonlyMap<string, Uint8Array> {
    const positions = [...this.#hosts].flatMap(([hostId, { position }]) =>
      position ? [[hostId, position] as const] : [],
    );
    return new Map(positions);
  }

  /** The events, once; leaving the loop ends the call. */
  [Symbol.asyncIterator](): AsyncIterableIterator<FleetWatchEvent, undefined> {
    return endedFirst(this.#events(), () => this.#ended.abort());
  }

  async *#events(): AsyncGenerator<FleetWatchEvent, undefined> {
    const { signal: given, metadata, onLost } = this.#options;
    const signal = given ? AbortSignal.any([given, this.#ended.signal]) : this.#ended.signal;
    const backoff = new Backoff();
    for (;;) {
      try {
        for await (const message of this.#call(this.#request(), { signal, metadata })) {
          if (message.event.case === "message") backoff.reset();
          yield* this.#eventsOf(message);
        }
        return undefined;
      } catch (error) {
        if (this.#ended.signal.aborted) return undefined;
        const passes = error instanceof BpfmapError && this.#hasStarted && canPass(error);
        if (!passes) throw error;
        onLost?.(error);
      }
      yield* this.#forget();
      if (!(await this.#pause(backoff, signal))) return undefined;
    }
  }

  /** Of hosts that cannot go on nothing would be heard, should they have left meanwhile. */
  *#forget(): Generator<FleetWatchEvent> {
    for (const [hostId, { position }] of this.#hosts) {
      if (position) continue;
      this.#hosts.delete(hostId);
      yield { kind: "left", hostId };
    }
  }

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

  #request(): MessageInitShape<typeof WatchFleetRequestSchema> {
    const { hosts = {}, concurrency = 0, updatesOnly } = this.#options;
    const from = updatesOnly && !this.#hasStarted ? WatchStart.UPDATES : WatchStart.SNAPSHOT;
    return {
      selector: hosts,
      watch: { ...watchRequest(this.#map, this.#options), start: { case: "from", value: from } },
      positions: [...this.positions].map(([hostId, resumeToken]) => ({ hostId, resumeToken })),
      concurrency,
    };
  }

  *#eventsOf({ event }: WatchFleetResponse): Generator<FleetWatchEvent> {
    switch (event.case) {
      case "started":
        this.#hasStarted = true;
        yield { kind: "started", hosts: event.value.hosts };
        return;
      case "begun": {
        const { hostId, resumed } = event.value;
        if (!resumed) this.#hosts.set(hostId, {});
        yield { kind: "begun", hostId, resumed };
        return;
      }
      case "message": {
        const { hostId, response } = event.value;
        if (!response) throw protocolError("the relay sent no message of a host");
        yield* this.#messageOf(hostId, response);
        return;
      }
      case "lost": {
        const { hostId, error } = event.value;
        const why = error.length > 0 ? BpfmapError.fromStatus(error) : undefined;
        yield { kind: "lost", hostId, error: why };
        return;
      }
      case "left":
        this.#hosts.delete(event.value.hostId);
        yield { kind: "left", hostId: event.value.hostId };
        return;
      default:
        throw protocolError("the relay sent an empty message in a watch");
    }
  }

  *#messageOf(hostId: string, response: WatchResponse): Generator<FleetWatchEvent> {
    const host = this.#hosts.get(hostId) ?? {};
    this.#hosts.set(hostId, host);
    const { kind } = response;
    if (kind.case === "created") host.created = kind.value;
    if (kind.case === "bookmark") host.position = kind.value.resumeToken;
    // Until its contents are whole there is nothing to go on from.
    if (kind.case === "resync" || kind.case === "mapGone") host.position = undefined;
    for (const event of watchEventsOf(response, host.created))
      yield { kind: "event", hostId, event };
  }
}
