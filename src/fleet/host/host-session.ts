import {
  type CallStart,
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  type HostRegistration,
  type Welcome,
} from "@bpfmapd/client/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { MapError } from "../../maps/index.js";
import type { Clock } from "../clock.js";
import { PROTOCOL_VERSION } from "../session/protocol.js";
import { sessionProtocolError } from "../session/session-error.js";
import { statusBytes } from "./grpc-answer.js";
import { type AnswerFrames, LocalCall } from "./local-call.js";
import { type LocalConnect, LocalServer } from "./local-server.js";
import type { DialedRelay, SessionLink } from "./session-link.js";

const PERMISSION_DENIED = 7;
const INTERNAL = 13;
/** How long a relay may take to register a host, in milliseconds. */
const WELCOME_MS = 30_000;

type Frame = MessageInitShape<typeof ConnectRequestSchema>["frame"];

/** What a session on the host's side is made with. */
export interface HostSessionOptions {
  readonly link: SessionLink;
  readonly registration: HostRegistration;
  /** Opens a connection to the host's own server for one who calls; throws where that one may not. */
  readonly connect: (
    relay: DialedRelay,
    ...call: Parameters<LocalConnect>
  ) => ReturnType<LocalConnect>;
  /** Throws unless this relay may speak for others. */
  readonly checkRelay: (relay: DialedRelay) => void;
  readonly maxMessageBytes: number;
  readonly clock: Clock;
  /** Told when the host is registered. */
  readonly onWelcome: (welcome: Welcome) => void;
  /** Told when the relay sends the host away. */
  readonly onGoodbye: () => void;
}

/** A session with a relay: its calls are made at the host's own server. */
export class HostSession implements AnswerFrames {
  readonly #options: HostSessionOptions;
  readonly #calls = new Map<number, LocalCall>();
  readonly #server: LocalServer;
  readonly #over = new AbortController();
  #creditBytes = 0;
  #heardAt: number;

  constructor(options: HostSessionOptions) {
    this.#options = options;
    this.#heardAt = options.clock.now();
    const { link, connect } = options;
    this.#server = new LocalServer((origin) => connect(link.relay, origin));
  }

  /** Aborted when the session is over. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Registers and serves until the session ends; throws what ended it. */
  async run(): Promise<void> {
    const { link, registration } = this.#options;
    void this.#watchSilence(() => WELCOME_MS);
    try {
      this.#options.checkRelay(link.relay);
      const hello = { protocolVersion: PROTOCOL_VERSION, registration };
      await this.#send({ case: "hello", value: hello });
      for await (const frame of link.frames) this.#receive(frame);
      throw this.#over.signal.reason ?? new Error("the relay has ended the session");
    } catch (error) {
      throw this.#over.signal.reason ?? error;
    } finally {
      this.close(new Error("the session is over"));
    }
  }

  /** Ends the session where its relay may not speak for others any more. */
  recheckRelay(): void {
    try {
      this.#options.checkRelay(this.#options.link.relay);
    } catch (error) {
      this.close(error as Error);
    }
  }

  /** Ends the session, and cuts its calls off. */
  close(reason: Error): void {
    if (!this.#over.signal.aborted) this.#over.abort(reason);
    for (const call of this.#calls.values()) call.cancel();
    this.#calls.clear();
    this.#server.close();
    this.#options.link.close();
  }

  data(callId: number, data: Uint8Array, more: boolean): Promise<void> {
    return this.#send({ case: "data", value: { callId, data, more } });
  }

  end(callId: number, error: Uint8Array): Promise<void> {
    return this.#send({ case: "end", value: { callId, error } });
  }

  credit(callId: number, bytes: number): void {
    void this.#send({ case: "credit", value: { callId, bytes } });
  }

  #receive({ frame }: ConnectResponse): void {
    this.#heardAt = this.#options.clock.now();
    switch (frame.case) {
      case "welcome":
        this.#welcome(frame.value);
        return;
      case "heartbeat":
        return;
      case "goodbye":
        this.#options.onGoodbye();
        return;
      case "start":
        this.#start(frame.value);
        return;
      case "data":
        this.#calls.get(frame.value.callId)?.receive(frame.value.data, frame.value.more);
        return;
      case "halfClose":
        this.#calls.get(frame.value.callId)?.halfClose();
        return;
      case "cancel":
        this.#calls.get(frame.value.callId)?.cancel();
        return;
      case "credit":
        this.#calls.get(frame.value.callId)?.grant(frame.value.bytes);
        return;
      default:
        throw sessionProtocolError("the relay sends what this version does not know");
    }
  }

  #welcome(welcome: Welcome): void {
    const { onWelcome } = this.#options;
    if (welcome.protocolVersion !== PROTOCOL_VERSION) {
      throw sessionProtocolError(`the relay speaks version ${welcome.protocolVersion}`);
    }
    this.#creditBytes = welcome.callCreditBytes;
    const heartbeatMs = welcome.heartbeatInterval ? durationMs(welcome.heartbeatInterval) : 5000;
    void this.#beat(heartbeatMs);
    onWelcome(welcome);
  }

  #start(start: CallStart): void {
    if (this.#creditBytes === 0) throw sessionProtocolError("a call comes before the welcome");
    const call = new LocalCall(start.callId, {
      frames: this,
      creditBytes: this.#creditBytes,
      maxMessageBytes: this.#options.maxMessageBytes,
    });
    this.#calls.set(call.id, call);
    void this.#serve(call, start).finally(() => this.#calls.delete(call.id));
  }

  async #serve(call: LocalCall, start: CallStart): Promise<void> {
    const { origin } = start;
    try {
      if (!origin) throw sessionProtocolError("a call says who makes it");
      await this.#server.call(origin, (session) => call.run(session, start));
    } catch (error) {
      const code = error instanceof MapError ? PERMISSION_DENIED : INTERNAL;
      await this.end(call.id, statusBytes(code, (error as Error).message));
    }
  }

  async #beat(intervalMs: number): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#over;
    void this.#watchSilence(() => 3 * intervalMs);
    while (!signal.aborted) {
      await clock.sleep(intervalMs, signal).catch(() => {});
      if (!signal.aborted) void this.#send({ case: "heartbeat", value: {} });
    }
  }

  /** Ends the session where the relay says nothing for too long. */
  async #watchSilence(patienceMs: () => number): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#over;
    while (!signal.aborted) {
      const left = this.#heardAt + patienceMs() - clock.now();
      if (left <= 0) {
        this.close(new Error(`the relay was silent for ${patienceMs()} ms`));
        return;
      }
      await clock.sleep(left, signal).catch(() => {});
    }
  }

  #send(frame: Frame): Promise<void> {
    if (this.#over.signal.aborted) return Promise.resolve();
    const request: ConnectRequest = create(ConnectRequestSchema, { frame });
    return this.#options.link.send(request);
  }
}
