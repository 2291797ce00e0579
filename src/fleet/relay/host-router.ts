import type { MapError } from "../../maps/index.js";
import { type HostCall, HostCallError, type HostCaller, unreachable } from "../host-call.js";
import type { HostDirectory } from "../members/host-directory.js";
import type { HostSessions } from "./host-sessions.js";

/** How a host is called that has its session with another relay. */
export interface OtherRelays {
  /** @param address where the other relay is reached */
  call(address: string, hostId: string, call: HostCall): AsyncIterable<Uint8Array>;
}

/** Calls hosts wherever they have their session: here, or with another relay. */
export class HostRouter implements HostCaller {
  readonly #relayId: string;
  readonly #sessions: HostSessions;
  readonly #directory: HostDirectory;
  readonly #others: OtherRelays | undefined;

  constructor(
    relayId: string,
    sessions: HostSessions,
    directory: HostDirectory,
    others: OtherRelays | undefined,
  ) {
    this.#relayId = relayId;
    this.#sessions = sessions;
    this.#directory = directory;
    this.#others = others;
  }

  async *call(hostId: string, call: HostCall): AsyncGenerator<Uint8Array, void> {
    const own = this.#sessions.get(hostId);
    yield* own ? own.call(call) : this.#callElsewhere(hostId, call);
  }

  #callElsewhere(hostId: string, call: HostCall): AsyncIterable<Uint8Array> {
    const session = this.#directory.session(hostId);
    if (!session) throw unreachable(hostId, "has no session with a relay");
    if (session.relay === this.#relayId) throw unreachable(hostId, "has just lost its session");
    const address = this.#directory.relay(session.relay)?.address;
    if (!address || !this.#others) {
      const why = `has its session with relay ${session.relay}, which other relays cannot reach: set fleet.advertise there`;
      throw unreachable(hostId, why);
    }
    return this.#others.call(address, hostId, call);
  }
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
