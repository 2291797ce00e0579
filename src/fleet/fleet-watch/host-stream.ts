import {
  type CallOrigin,
  type WatchRequest,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from "@bpfmapd/client/proto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Clock } from "../clock.js";
import { type HostCallError, type HostCaller, unreachable } from "../host-call.js";
import { callErrorOf } from "../relay/host-router.js";
import { Bell } from "../store/bell.js";
import { reasonOf } from "./error-reason.js";
import type { EventQueue } from "./event-queue.js";
import type { Slots } from "./slots.js";

const RPC = "bpfmap.v1.MapService/Watch";
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;
/** For how long a host that goes on has its turn without telling anything. */
const LONGEST_TURN_MS = 1000;
/** What an event takes in memory beside its message. */
const EVENT_BYTES = 256;
const NOTHING = () => {};

/** What is told of one host. */
export type HostWatchEvent = { readonly hostId: string } & (
  | { readonly kind: "begun"; readonly resumed: boolean }
  | { readonly kind: "message"; readonly response: WatchResponse }
  /** Without an error: its map is gone, and it is not tried again. */
  | { readonly kind: "lost"; readonly error: HostCallError | undefined }
  | { readonly kind: "left" }
);

/** What all hosts of a watch share. */
export interface StreamParts {
  readonly caller: HostCaller;
  readonly clock: Clock;
  readonly watch: WatchRequest;
  readonly origin: CallOrigin;
  readonly requestId: string;
  readonly events: EventQueue<HostWatchEvent>;
  /** Of hosts whose contents are read. */
  readonly reading: Slots;
  /**
   * Of hosts that wait for a slow reader with their call open, each with a window of messages in
   * memory. The others end their call, and go on by their token.
   */
  readonly waiting: Slots;
}

/** The watch of one host: begun anew each time that it is cut, where it stood. */
export class HostStream {
  readonly hostId: string;
  readonly #parts: StreamParts;
  readonly #stopped = new AbortController();
  readonly #back = new Bell();
  /** Where it stands; undefined where it has to begin anew. */
  #token: Uint8Array | undefined;
  #isGone = false;
  #isLost = false;
  #isKnown: boolean;
  #pauseMs = FIRST_PAUSE_MS;

  /** @param token where an earlier stream stood */
  constructor(hostId: string, parts: StreamParts, token: Uint8Array | undefined) {
    this.hostId = hostId;
    this.#parts = parts;
    this.#token = token;
    this.#isKnown = token !== undefined;
  }

  /** Whether the reader knows of the host. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Follows the host until it is stopped, or its map is gone and no other is waited for. */
  async run(): Promise<void> {
    const { signal } = this.#stopped;
    let release = NOTHING;
    try {
      while (!signal.aborted) {
        // From before the attempt, so that a host that comes back under it is not missed.
        const back = this.#back.next;
        const end = await this.#try(release);
        if (end === "gone") return;
        if (end === "lost") await this.#pause(back);
        release = end === "slow" ? await this.#parts.waiting.take(signal) : NOTHING;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Ends it: nothing is told of the host any more. */
  stop(): void {
    this.#stopped.abort(new Error("the host is not watched any more"));
    this.#back.ring();
  }

  /** The host may be back: it is tried at once. */
  nudge(): void {
    this.#back.ring();
  }

  /**
   * One call; how it ended.
   *
   * @param release gives back what was taken to wait for the reader
   */
  async #try(release: () => void): Promise<"again" | "lost" | "slow" | "gone"> {
    const { signal } = this.#stopped;
    const hasRead = this.#token ? NOTHING : await this.#parts.reading.take(signal);
    try {
      if (await this.#follow(release, hasRead)) return "slow";
      if (this.#isGone) {
        this.#tell({ kind: "lost", hostId: this.hostId, error: undefined });
        return "gone";
      }
      this.#lose(unreachable(this.hostId, "has ended the watch without a word"));
      return "lost";
    } catch (thrown) {
      signal.throwIfAborted();
      const error = callErrorOf(this.hostId, thrown);
      // Made by a daemon whose key is lost: the contents come anew.
      if (reasonOf(error) === "RESUME_TOKEN_INVALID" && this.#token) {
        this.#token = undefined;
        return "again";
      }
      this.#lose(error);
      return "lost";
    } finally {
      release();
      hasRead();
    }
  }

  /**
   * Tells what the host does until its call ends; true where the reader is too slow for it.
   *
   * @param release gives back what was taken to wait for the reader
   * @param hasRead called when there is something to resume from
   */
  async #follow(release: () => void, hasRead: () => void): Promise<boolean> {
    const { signal } = this.#stopped;
    const resumed = this.#token !== undefined;
    this.#isGone = false;
    let told = 0;
    for await (const bytes of this.#parts.caller.call(this.hostId, this.#call())) {
      signal.throwIfAborted();
      const response = fromBinary(WatchResponseSchema, bytes);
      // All before a bookmark has been told, though it may not be told itself.
      this.#note(response, hasRead);
      // What has waited for its turn tells something before it may have to wait again.
      if (told === 0) await this.#begin(response, bytes.length, resumed);
      else if (told === 1 && resumed) await this.#send(response, bytes.length);
      else if (!(await this.#pass(response, bytes.length))) return true;
      if (told === 0) void this.#releaseSoon(release);
      if (told === 1) release();
      told++;
    }
    return false;
  }

  /** A host that has nothing to tell keeps nobody from the turn that it has. */
  async #releaseSoon(release: () => void): Promise<void> {
    if (release === NOTHING) return;
    await this.#parts.clock.sleep(LONGEST_TURN_MS, this.#stopped.signal).catch(() => {});
    release();
  }

  async #begin(response: WatchResponse, size: number, resumed: boolean): Promise<void> {
    const { hostId } = this;
    const { events } = this.#parts;
    await events.room(this.#stopped.signal);
    this.#tell({ kind: "begun", hostId, resumed });
    this.#isLost = false;
    await this.#send(response, size);
  }

  /** Tells a message; false where it is not told, as too many wait for the reader already. */
  async #pass(response: WatchResponse, size: number): Promise<boolean> {
    const { events, waiting } = this.#parts;
    // Without a token it would have to begin anew: few do that at a time.
    const mustWait = events.isFull && this.#token !== undefined;
    const release = mustWait ? waiting.tryTake() : NOTHING;
    if (!release) return false;
    try {
      await this.#send(response, size);
    } finally {
      release();
    }
    return true;
  }

  #send(response: WatchResponse, size: number): Promise<void> {
    const { hostId } = this;
    const event: HostWatchEvent = { kind: "message", hostId, response };
    return this.#parts.events.send(event, size + EVENT_BYTES, this.#stopped.signal);
  }

  #note({ kind }: WatchResponse, hasRead: () => void): void {
    switch (kind.case) {
      case "bookmark":
        this.#token = kind.value.resumeToken;
        this.#pauseMs = FIRST_PAUSE_MS;
        hasRead();
        return;
      case "resync":
        // Until the snapshot is whole there is nothing to resume from.
        this.#token = undefined;
        return;
      case "mapGone":
        this.#token = undefined;
        this.#isGone = true;
        return;
      case "created":
        this.#isGone = false;
    }
  }

  #call() {
    const { watch, origin, requestId } = this.#parts;
    const start = this.#token ? { case: "resumeToken" as const, value: this.#token } : watch.start;
    const request = create(WatchRequestSchema, { ...watch, start });
    const requests = [toBinary(WatchRequestSchema, request)];
    return { rpc: RPC, requests, origin, requestId, signal: this.#stopped.signal };
  }

  #tell(event: HostWatchEvent): void {
    this.#isKnown = true;
    this.#parts.events.push(event, EVENT_BYTES);
  }

  /** Tells once that the host is lost, until it is there again. */
  #lose(error: HostCallError): void {
    if (!this.#isLost) this.#tell({ kind: "lost", hostId: this.hostId, error });
    this.#isLost = true;
  }

  /** Waits before the next attempt, or until the host may be back. */
  async #pause(back: Promise<void>): Promise<void> {
    const { clock } = this.#parts;
    const over = new AbortController();
    const pauseMs = this.#pauseMs * (0.5 + clock.random() / 2);
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
    await Promise.race([clock.sleep(pauseMs, over.signal).catch(() => {}), back]);
    over.abort();
  }
}
