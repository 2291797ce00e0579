import {
  type CallData,
  type ConnectRequest,
  type ConnectResponse,
  ConnectResponseSchema,
  type HostRegistration,
} from "@bpfmapd/client/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Clock } from "../clock.js";
import { type HostCall, unreachable } from "../host-call.js";
import type { FrameQueue } from "../session/frame-queue.js";
import { PROTOCOL_VERSION } from "../session/protocol.js";
import { sessionProtocolError } from "../session/session-error.js";
import { type CallBounds, type CallFrames, RelayedCall } from "./relayed-call.js";

/** Calls of one session at a time. */
const MAX_CALLS = 1000;

type Frame = MessageInitShape<typeof ConnectResponseSchema>["frame"];

/** What a session is made with. */
export interface RelaySessionOptions {
  readonly id: string;
  readonly relayId: string;
  readonly registration: HostRegistration;
  readonly out: FrameQueue<ConnectResponse>;
  readonly heartbeatMs: number;
  readonly bounds: CallBounds;
  readonly clock: Clock;
}

/** A host's session, on the relay's side: calls go down, answers come up. */
export class RelaySession implements CallFrames {
  readonly id: string;
  readonly registration: HostRegistration;
  readonly #options: RelaySessionOptions;
  readonly #calls = new Map<number, RelayedCall>();
  readonly #closed = new AbortController();
  readonly #idle: (() => void)[] = [];
  #lastCallId = 0;
  #heardAt: number;

  constructor(options: RelaySessionOptions) {
    this.id = options.id;
    this.registration = options.registration;
    this.#options = options;
    this.#heardAt = options.clock.now();
  }

  get hostId(): string {
    return this.registration.hostId;
  }

  /** Aborted with why, when the session is over. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Says that the host is registered. */
  welcome(): void {
    const { id, relayId, heartbeatMs, bounds } = this.#options;
    this.#send({
      case: "welcome",
      value: {
        protocolVersion: PROTOCOL_VERSION,
        ...{ sessionId: id, relayId, callCreditBytes: bounds.creditBytes },
        heartbeatInterval: durationFromMs(heartbeatMs),
      },
    });
  }

  /** Tells the host to dial another relay. */
  goodbye(): void {
    this.#send({ case: "goodbye", value: {} });
  }

  /** Ends the session when the host has been silent for too long. */
  async watchHeartbeat(): Promise<void> {
    const { clock, heartbeatMs } = this.#options;
    const patience = 3 * heartbeatMs;
    while (!this.closed.aborted) {
      const left = this.#heardAt + patience - clock.now();
      if (left <= 0) {
        this.close(unreachable(this.hostId, `was silent for ${patience} ms`).cause as Error);
        return;
      }
      await clock.sleep(left, this.closed).catch(() => {});
    }
  }

  /** Takes what the host sends. Throws SESSION_PROTOCOL for what it may not. */
  receive({ frame }: ConnectRequest): void {
    this.#heardAt = this.#options.clock.now();
    switch (frame.case) {
      case "heartbeat":
        this.#send({ case: "heartbeat", value: {} });
        return;
      case "data":
        this.#receiveData(frame.value);
        return;
      case "credit":
        this.#calls.get(frame.value.callId)?.grant(frame.value.bytes);
        return;
      case "end": {
        const { callId, error } = frame.value;
        this.#calls.get(callId)?.ended(error);
        this.#calls.delete(callId);
        return;
      }
      default:
        throw sessionProtocolError(
          "a host says hello once, and nothing that the relay does not know",
        );
    }
  }

  /** Calls the host. */
  async *call(call: HostCall): AsyncGenerator<Uint8Array, void> {
    if (this.closed.aborted) throw unreachable(this.hostId, "has lost its session");
    if (this.#calls.size >= MAX_CALLS) {
      throw unreachable(
        this.hostId,
        `has ${MAX_CALLS} calls by this relay already: try again later`,
      );
    }
    call.signal.throwIfAborted();
    const relayed = new RelayedCall(++this.#lastCallId, this, this.#options.bounds);
    this.#calls.set(relayed.id, relayed);
    const cancel = () => relayed.abandon(call.signal.reason);
    call.signal.addEventListener("abort", cancel, { once: true });
    try {
      await relayed.begin(call, this.#options.relayId);
      yield* relayed.answers;
    } finally {
      call.signal.removeEventListener("abort", cancel);
      relayed.abandon(undefined);
      this.#calls.delete(relayed.id);
      if (this.#calls.size === 0) this.#wakeIdle();
    }
  }

  /** Settles when no call is under way, or the session is over. */
  async idle(): Promise<void> {
    if (this.#calls.size === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /**
   * The session is over: calls under way end as cut off.
   * @param reason what the host is told; without one it has ended the session itself
   */
  close(reason?: unknown): void {
    if (this.closed.aborted) return;
    this.#closed.abort(reason ?? new Error("the host has ended the session"));
    for (const call of this.#calls.values()) {
      call.cut(unreachable(this.hostId, "lost its session under the call", true));
    }
    this.#calls.clear();
    this.#wakeIdle();
    this.#options.out.end(reason);
  }

  start(start: Parameters<CallFrames["start"]>[0]): Promise<void> {
    return this.#send({ case: "start", value: start });
  }

  data(callId: number, data: Uint8Array, more: boolean): Promise<void> {
    return this.#send({ case: "data", value: { callId, data, more } });
  }

  halfClose(callId: number): void {
    this.#send({ case: "halfClose", value: { callId } });
  }

  cancel(callId: number): void {
    this.#send({ case: "cancel", value: { callId } });
  }

  credit(callId: number, bytes: number): void {
    this.#send({ case: "credit", value: { callId, bytes } });
  }

  /** Parts of a call that is over were on their way when it ended. */
  #receiveData({ callId, data, more }: CallData): void {
    this.#calls.get(callId)?.receive(data, more);
  }

  #wakeIdle(): void {
    for (const wake of this.#idle.splice(0)) wake();
  }

  #send(frame: Frame): Promise<void> {
    return this.#options.out.send(create(ConnectResponseSchema, { frame }));
  }
}
