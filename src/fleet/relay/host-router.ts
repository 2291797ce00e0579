import type { MapError } from "../../maps/index.js";
import type { Clock } from "../clock.js";
import { type HostCall, HostCallError, type HostCaller, unreachable } from "../host-call.js";
import type { HostDirectory } from "../members/host-directory.js";
import type { HostSessions } from "./host-sessions.js";

/** How a host is called that has its session with another relay. */
export interface OtherRelays {
  /** @param address where the other relay is reached */
  call(address: string, hostId: string, call: HostCall): AsyncIterable<Uint8Array>;
}

/** How long a call waits for a host that has just moved to another relay, in milliseconds. */
const MOVING_MS = 3000;

/** What a router is made with. */
export interface HostRouterOptions {
  readonly relayId: string;
  readonly sessions: HostSessions;
  readonly directory: HostDirectory;
  readonly others: OtherRelays | undefined;
  readonly clock: Clock;
}

/** Calls hosts wherever they have their session: here, or with another relay. */
export class HostRouter implements HostCaller {
  readonly #options: HostRouterOptions;

  constructor(options: HostRouterOptions) {
    this.#options = options;
  }

  /** A call that was certainly not sent is made once more where the host moves meanwhile. */
  async *call(hostId: string, call: HostCall): AsyncGenerator<Uint8Array, void> {
    const session = this.#options.directory.session(hostId)?.session;
    let isAnswered = false;
    try {
      for await (const answer of this.#callOnce(hostId, call)) {
        isAnswered = true;
        yield answer;
      }
    } catch (error) {
      if (isAnswered || !wasNotSent(error) || session === undefined) throw error;
      if (!(await this.#hasMoved(hostId, session, call.signal))) throw error;
      yield* this.#callOnce(hostId, call);
    }
  }

  async *#callOnce(hostId: string, call: HostCall): AsyncGenerator<Uint8Array, void> {
    const own = this.#options.sessions.get(hostId);
    yield* own ? own.call(call) : this.#callElsewhere(hostId, call);
  }

  #callElsewhere(hostId: string, call: HostCall): AsyncIterable<Uint8Array> {
    const { directory, relayId, others } = this.#options;
    const session = directory.session(hostId);
    if (!session) throw unreachable(hostId, "has no session with a relay");
    if (session.relay === relayId) throw unreachable(hostId, "has just lost its session");
    const address = directory.relay(session.relay)?.address;
    if (!address || !others) {
      const why = `has its session with relay ${session.relay}, which this one cannot reach: set fleet.advertise there`;
      throw unreachable(hostId, why);
    }
    return others.call(address, hostId, call);
  }

  /** Whether a host has another session, now or in a moment. */
  async #hasMoved(hostId: string, session: string, signal: AbortSignal): Promise<boolean> {
    const { directory, clock } = this.#options;
    const done = new AbortController();
    const both = AbortSignal.any([signal, done.signal]);
    const isElsewhere = () => {
      const current = directory.session(hostId);
      return current !== undefined && current.session !== session;
    };
    const stop = directory.onChange((id) => {
      if (id === hostId && isElsewhere()) done.abort();
    });
    try {
      if (!isElsewhere()) await clock.sleep(MOVING_MS, both).catch(() => {});
      return isElsewhere() && !signal.aborted;
    } finally {
      stop();
    }
  }
}

function wasNotSent(error: unknown): boolean {
  return (
    error instanceof HostCallError && error.cause?.reason === "HOST_UNREACHABLE" && !error.maybeDone
  );
}

/** Whatever a call has ended with, as what it means for the host. */
export function callErrorOf(hostId: string, error: unknown): HostCallError {
  if (error instanceof HostCallError) return error;
  const why = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && error.name === "MapError") {
    return new HostCallError(undefined, error as MapError, true);
  }
  return unreachable(hostId, `cannot be called: ${why}`, true);
}
