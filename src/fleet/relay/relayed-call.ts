import { type CallStart, CallStartSchema } from "@bpfmapd/client/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type HostCall, type HostCallError, refusedByHost } from "../host-call.js";
import { IncomingMessages, SendWindow, sendMessage } from "../session/message-parts.js";

/** How a call's frames reach its host. */
export interface CallFrames {
  start(call: CallStart): Promise<void>;
  data(callId: number, data: Uint8Array, more: boolean): Promise<void>;
  halfClose(callId: number): void;
  cancel(callId: number): void;
  credit(callId: number, bytes: number): void;
}

/** What a relay allows the calls of a session. */
export interface CallBounds {
  /** Bytes of messages that may be on their way in each direction to begin with. */
  readonly creditBytes: number;
  /** Bytes of a message. */
  readonly maxMessageBytes: number;
}

/** One call that a relay has sent down a session, until it ends. */
export class RelayedCall {
  readonly id: number;
  readonly answers: IncomingMessages;
  readonly #frames: CallFrames;
  readonly #window: SendWindow;
  #isOver = false;

  constructor(id: number, frames: CallFrames, { creditBytes, maxMessageBytes }: CallBounds) {
    this.id = id;
    this.#frames = frames;
    this.#window = new SendWindow(creditBytes);
    this.answers = new IncomingMessages(maxMessageBytes, (bytes) => {
      if (!this.#isOver) frames.credit(id, bytes);
    });
  }

  /** Sends the call. Its requests go on by themselves. */
  async begin(call: HostCall, relayId: string): Promise<void> {
    await this.#frames.start(create(CallStartSchema, callStart(this.id, call, relayId)));
    void this.#sendRequests(call.requests).catch((error) => this.abandon(error));
  }

  /** A part of an answer has come. */
  receive(data: Uint8Array, more: boolean): void {
    try {
      this.answers.receive(data, more);
    } catch (error) {
      this.abandon(error);
    }
  }

  /** The other side takes more. */
  grant(bytes: number): void {
    this.#window.grant(bytes);
  }

  /** The host says that the call is over. */
  ended(error: Uint8Array): void {
    this.#finish(error.length === 0 ? undefined : refusedByHost(error));
  }

  /** The session is over, and with it the call. */
  cut(error: HostCallError): void {
    this.#finish(error);
  }

  /** Nobody waits for the answer any more: the host is told. */
  abandon(error: unknown): void {
    if (this.#isOver) return;
    this.#finish(error);
    this.#frames.cancel(this.id);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  #finish(error: unknown): void {
    this.#isOver = true;
    this.#window.fail(error ?? new Error("the call is over"));
    this.answers.end(error);
  }

  async #sendRequests(requests: HostCall["requests"]): Promise<void> {
    try {
      for await (const request of requests) {
        await sendMessage(request, this.#window, (data, more) =>
          this.#frames.data(this.id, data, more),
        );
      }
    } catch (error) {
      if (this.#isOver) return;
      throw error;
    }
    if (!this.#isOver) this.#frames.halfClose(this.id);
  }
}

/** The first frame of a call that this relay carries, too. */
export function callStart(
  callId: number,
  { rpc, origin, timeoutMs, requestId = "" }: HostCall,
  relayId: string,
): MessageInitShape<typeof CallStartSchema> {
  return {
    ...{ callId, rpc, requestId },
    origin: { ...origin, relays: [...origin.relays, relayId] },
    ...(timeoutMs !== undefined && { timeout: durationFromMs(Math.ceil(timeoutMs)) }),
  };
}
