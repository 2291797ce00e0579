import type { HostRegistration, Welcome } from "@bpfmapd/client/proto";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import { HostSession, type HostSessionOptions } from "./host-session.js";
import type { DialRelay, SessionLink } from "./session-link.js";

const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 15_000;

/** What a host's agent is made with. */
export interface HostAgentOptions
  extends Pick<HostSessionOptions, "connect" | "checkRelay" | "maxMessageBytes" | "clock"> {
  /** Relays to dial, any of them at a time. */
  readonly relays: readonly string[];
  readonly dial: DialRelay;
  /** What is to be known of the host, as of now. */
  readonly register: () => HostRegistration;
  /** Told of each session that has begun. */
  readonly onSession?: (session: OpenSession) => void;
  readonly log: Logger;
}

/** A session that has begun. */
export interface OpenSession {
  readonly link: SessionLink;
  readonly hostId: string;
  readonly welcome: Welcome;
  /** Aborted when it is over. */
  readonly over: AbortSignal;
}

/**
 * Keeps a host in its fleet: one session with one of the relays, and with the next one where
 * that one fails or sends the host away. It begins at random, so that a relay's hosts spread
 * over the others when it goes.
 */
export class HostAgent {
  readonly #options: HostAgentOptions;
  readonly #stopped = new AbortController();
  readonly #sessions = new Set<HostSession>();
  #next: number;
  #running: Promise<void> | undefined;

  constructor(options: HostAgentOptions) {
    this.#options = options;
    this.#next = Math.floor(options.clock.random() * options.relays.length);
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Ends sessions with relays that may not speak for others any more. */
  recheckRelays(): void {
    for (const session of this.#sessions) session.recheckRelay();
  }

  /** Ends the session and dials anew, as with other certificates. */
  reconnect(why: string): void {
    for (const session of this.#sessions) session.close(new Error(why));
  }

  /** Leaves the fleet. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.reconnect("the daemon is stopping");
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, relays } = this.#options;
    const { signal } = this.#stopped;
    for (let failures = 0; !signal.aborted; ) {
      const address = relays[this.#next++ % relays.length] as string;
      const wasWelcome = await this.#session(address);
      failures = wasWelcome ? 0 : failures + 1;
      await clock.sleep(retryMs(failures, relays.length, clock), signal).catch(() => {});
    }
  }

  /** One session; settles when it is over, or its relay sends the host away. Tells whether it had begun. */
  #session(address: string): Promise<boolean> {
    const { log } = this.#options;
    let wasWelcome = false;
    return new Promise((resolve) => {
      const onWelcome = ({ relayId, sessionId }: Welcome) => {
        wasWelcome = true;
        log.info({ relay: relayId, address, session: sessionId }, "registered with a relay");
      };
      const onGoodbye = () => {
        log.info({ address }, "the relay is about to stop: dialing another");
        resolve(true);
      };
      this.#serve(address, { onWelcome, onGoodbye }).then(
        () => resolve(wasWelcome),
        (error) => {
          if (!this.#stopped.signal.aborted) {
            log.warn({ address, err: (error as Error).message }, "no session with a relay");
          }
          resolve(wasWelcome);
        },
      );
    });
  }

  async #serve(
    address: string,
    listeners: Pick<HostSessionOptions, "onWelcome" | "onGoodbye">,
  ): Promise<void> {
    const { dial, register, connect, checkRelay, maxMessageBytes, clock } = this.#options;
    const link = await dial(address);
    const registration = register();
    const { hostId } = registration;
    const session: HostSession = new HostSession({
      ...{ link, connect, checkRelay, maxMessageBytes, clock, registration, ...listeners },
      onWelcome: (welcome) => {
        listeners.onWelcome(welcome);
        this.#options.onSession?.({ link, hostId, welcome, over: session.over });
      },
    });
    this.#sessions.add(session);
    try {
      if (this.#stopped.signal.aborted) return;
      await session.run();
    } finally {
      session.close(new Error("the session is over"));
      this.#sessions.delete(session);
    }
  }
}

/** Every relay is tried once, soon; then longer and longer, at random. */
function retryMs(failures: number, relays: number, clock: Clock): number {
  const rounds = Math.max(0, failures - relays);
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(rounds, 10));
  return longest * (0.5 + 0.5 * clock.random());
}
