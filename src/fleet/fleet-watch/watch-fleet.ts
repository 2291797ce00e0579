import type { CallOrigin, HostSelector, WatchRequest } from "@bpfmapd/client/proto";
import type { FanOutParts } from "../relay/fan-out.js";
import { hostMatcher } from "../selector.js";
import { EventQueue } from "./event-queue.js";
import { HostStream, type HostWatchEvent, type StreamParts } from "./host-stream.js";
import { Slots } from "./slots.js";

/** Bytes of events that wait for a reader, beside those that hosts have on their way. */
const QUEUE_BYTES = 4 << 20;
/** Hosts that wait for a slow reader with a call each, and up to a window of messages. */
const MOST_WAITING = 128;

/** What to watch on which hosts. */
export interface FleetWatch {
  readonly selector: HostSelector;
  readonly watch: WatchRequest;
  /** Resume tokens by host. */
  readonly positions: ReadonlyMap<string, Uint8Array>;
  /** Hosts whose contents are read at a time. */
  readonly concurrency: number;
  readonly origin: CallOrigin;
  readonly requestId: string;
}

/** What is told of a fleet. */
export type FleetWatchEvent =
  | HostWatchEvent
  /** The first: so many hosts match now. */
  | { readonly kind: "started"; readonly hosts: number };

/** Watches a map on every host that matches, as hosts come and go. */
export async function* watchFleet(
  parts: FanOutParts,
  fleet: FleetWatch,
  signal: AbortSignal,
): AsyncGenerator<FleetWatchEvent, void> {
  await parts.directory.ready();
  const streams = new HostStreams(parts, fleet);
  try {
    yield { kind: "started", hosts: streams.begin() };
    for (;;) yield await streams.events.next(signal);
  } finally {
    streams.stop();
  }
}

/** The hosts' streams of one watch. */
class HostStreams {
  readonly events = new EventQueue<HostWatchEvent>(QUEUE_BYTES);
  readonly #directory: FanOutParts["directory"];
  /** Where hosts that have not begun yet go on. */
  readonly #positions: Map<string, Uint8Array>;
  readonly #parts: StreamParts;
  readonly #isChosen: ReturnType<typeof hostMatcher>;
  readonly #streams = new Map<string, HostStream>();
  #stopListening: () => void = () => {};

  constructor({ directory, caller, clock }: FanOutParts, fleet: FleetWatch) {
    const { watch, origin, requestId, concurrency, selector } = fleet;
    this.#directory = directory;
    this.#positions = new Map(fleet.positions);
    this.#isChosen = hostMatcher(selector);
    this.#parts = {
      ...{ caller, clock, watch, origin, requestId },
      events: this.events,
      reading: new Slots(concurrency),
      waiting: new Slots(MOST_WAITING),
    };
  }

  /** Begins with the hosts that match now; answers how many these are. */
  begin(): number {
    this.#stopListening = this.#directory.onChange((hostId) => this.#changed(hostId));
    for (const hostId of this.#directory.ids) this.#changed(hostId);
    for (const hostId of this.#positions.keys()) this.#leave(hostId);
    // Who leaves and comes back later begins anew.
    this.#positions.clear();
    return this.#streams.size;
  }

  stop(): void {
    this.#stopListening();
    for (const stream of this.#streams.values()) stream.stop();
  }

  #changed(hostId: string): void {
    const host = this.#directory.host(hostId);
    const known = this.#streams.get(hostId);
    if (host && this.#isChosen(host)) {
      if (known) known.nudge();
      else this.#join(hostId);
    } else if (known) {
      known.stop();
      this.#streams.delete(hostId);
      if (known.isKnown) this.#leave(hostId);
    }
  }

  #join(hostId: string): void {
    const stream = new HostStream(hostId, this.#parts, this.#positions.get(hostId));
    this.#positions.delete(hostId);
    this.#streams.set(hostId, stream);
    void stream.run();
  }

  #leave(hostId: string): void {
    this.events.push({ kind: "left", hostId }, hostId.length);
  }
}
