import { randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  type ConnectRequest,
  type ConnectResponse,
  FleetHostSchema,
  type HostRegistration,
} from "@bpfmapd/client/proto";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import type { HostDirectory } from "../members/host-directory.js";
import { isPassing, type LeasedKey, type LeasedKeys } from "../members/leased-keys.js";
import { HOSTS, SESSIONS, writeRecord } from "../members/member-keys.js";
import { FrameQueue } from "../session/frame-queue.js";
import { CALL_CREDIT_BYTES, PROTOCOL_VERSION } from "../session/protocol.js";
import {
  relayStopping,
  sessionProtocolError,
  sessionReplaced,
  storeUnavailable,
} from "../session/session-error.js";
import { type KeptLease, put, type Store, StoreError } from "../store/index.js";
import { checkHostId, type HostPeer } from "./host-peer.js";
import { RelaySession } from "./relay-session.js";

/** What the sessions of a relay are made with. */
export interface HostSessionsOptions {
  readonly relayId: string;
  readonly store: Store;
  readonly keys: LeasedKeys;
  readonly directory: HostDirectory;
  readonly clock: Clock;
  readonly log: Logger;
  /** How often hosts are to give a sign of life, in milliseconds. */
  readonly heartbeatMs: number;
  /** For how long a host without a session is remembered, in seconds. */
  readonly forgetSeconds: number;
  /** Bytes of a call's message. */
  readonly maxMessageBytes: number;
}

interface Registered {
  readonly session: RelaySession;
  claim?: LeasedKey | undefined;
}

/** The sessions that hosts have with this relay, one for each host. */
export class HostSessions {
  readonly #options: HostSessionsOptions;
  readonly #sessions = new Map<string, Registered>();
  #isStopping = false;

  constructor(options: HostSessionsOptions) {
    this.#options = options;
    options.directory.onChange((hostId) => this.#closeReplaced(hostId));
  }

  /** A registered host's session; undefined where it has none with this relay. */
  get(hostId: string): RelaySession | undefined {
    const registered = this.#sessions.get(hostId);
    return registered?.claim && registered.session;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Serves a session until it ends: the frames for the host. */
  serve(
    requests: AsyncIterable<ConnectRequest>,
    peer: HostPeer,
    signal: AbortSignal,
  ): AsyncIterable<ConnectResponse> {
    const out = new FrameQueue<ConnectResponse>();
    void this.#run(requests, peer, out, signal).then(
      () => out.end(),
      (error) => out.end(error),
    );
    return out;
  }

  /** Takes no more hosts, and tells all to dial another relay. */
  goodbye(): void {
    this.#isStopping = true;
    for (const { session } of this.#sessions.values()) session.goodbye();
  }

  /** Settles when no call is under way. */
  async idle(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ session }) => session.idle()));
  }

  /** Settles when all sessions are over. */
  async gone(): Promise<void> {
    const over = ({ closed }: RelaySession) =>
      closed.aborted || once(closed, "abort").then(() => undefined);
    await Promise.all([...this.#sessions.values()].map(({ session }) => over(session)));
  }

  async #run(
    requests: AsyncIterable<ConnectRequest>,
    peer: HostPeer,
    out: FrameQueue<ConnectResponse>,
    signal: AbortSignal,
  ): Promise<void> {
    const frames = requests[Symbol.asyncIterator]();
    const registration = helloOf((await frames.next()).value);
    if (this.#isStopping) throw relayStopping();
    checkHostId(registration.hostId, peer);
    const session = this.#open(registration, out);
    const registered: Registered = { session };
    this.#sessions.get(session.hostId)?.session.close(sessionReplaced(session.hostId));
    this.#sessions.set(session.hostId, registered);
    const whileOpen = AbortSignal.any([signal, session.closed]);
    let remembered: KeptLease | undefined;
    try {
      remembered = await this.#remember(registration, peer, whileOpen);
      registered.claim = await this.#claim(session, whileOpen);
      this.#options.log.info(
        { host: session.hostId, peer: peer.address, session: session.id },
        "a host has registered",
      );
      session.welcome();
      if (this.#isStopping) session.goodbye();
      void session.watchHeartbeat();
      for (let next = await frames.next(); !next.done; next = await frames.next()) {
        session.receive(next.value);
      }
      session.closed.throwIfAborted();
    } catch (error) {
      session.close(error instanceof StoreError ? storeUnavailable(error) : error);
      throw session.closed.reason;
    } finally {
      session.close();
      if (this.#sessions.get(session.hostId) === registered) this.#sessions.delete(session.hostId);
      registered.claim?.release();
      remembered?.stop();
      this.#options.log.info(
        { host: session.hostId, session: session.id },
        "a host's session is over",
      );
    }
  }

  #open(registration: HostRegistration, out: FrameQueue<ConnectResponse>): RelaySession {
    const { relayId, heartbeatMs, maxMessageBytes, clock } = this.#options;
    return new RelaySession({
      id: randomUUID(),
      ...{ relayId, registration, out, heartbeatMs, clock },
      bounds: { creditBytes: CALL_CREDIT_BYTES, maxMessageBytes },
    });
  }

  /** Writes what is known of a host. It stays for a while when its session is over. */
  async #remember(
    { hostId: id, labels, host, mapTypes }: HostRegistration,
    peer: HostPeer,
    signal: AbortSignal,
  ): Promise<KeptLease> {
    const { store, forgetSeconds, clock } = this.#options;
    const record = create(FleetHostSchema, {
      ...{ id, labels, mapTypes },
      ...(host && { host }),
      ...{ sans: [...peer.sans], address: peer.address, connectedAt: timestampNow() },
    });
    const value = toBinary(FleetHostSchema, record);
    for (;;) {
      try {
        const lease = await store.grantLease(forgetSeconds, { signal });
        await store.transact({ success: [put(HOSTS + id, value, lease.id)] }, { signal });
        return store.keepLease(lease);
      } catch (error) {
        if (!isPassing(error)) throw error;
        await clock.sleep(200 + 300 * clock.random(), signal);
      }
    }
  }

  #claim(session: RelaySession, signal: AbortSignal): Promise<LeasedKey> {
    const { keys, relayId: relay } = this.#options;
    const { hostId } = session;
    const replaced = () => session.close(sessionReplaced(hostId));
    const value = writeRecord({ relay, session: session.id });
    return keys.hold(SESSIONS + hostId, value, signal, replaced);
  }

  /** Where a host has registered with another relay since, its session here is over. */
  #closeReplaced(hostId: string): void {
    const registered = this.#sessions.get(hostId);
    const current = this.#options.directory.session(hostId);
    if (!registered?.claim || !current || current.session === registered.session.id) return;
    if (current.revision <= registered.claim.revision) return;
    const replaced = sessionReplaced(hostId);
    if (!this.#isStopping) registered.session.close(replaced);
    else void registered.session.idle().then(() => registered.session.close(replaced));
  }
}

function helloOf(request: ConnectRequest | undefined): HostRegistration {
  if (request?.frame.case !== "hello") throw sessionProtocolError("it begins with a hello");
  const { protocolVersion, registration } = request.frame.value;
  if (protocolVersion < PROTOCOL_VERSION || registration === undefined) {
    throw sessionProtocolError(`version ${protocolVersion} is none that the relay speaks`);
  }
  return registration;
}
