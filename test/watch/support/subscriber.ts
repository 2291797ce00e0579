import { type BpfmapClient, BpfmapError } from "@bpfmapd/client";
import type { WatchBookmark, WatchRequestSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { RecordedCall, Recording, StreamRequest } from "./recording.js";

type WatchInit = MessageInitShape<typeof WatchRequestSchema>;

/** Watches by single calls and records what comes; it does not reconnect by itself. */
export class Subscriber {
  readonly recording: Recording & { readonly calls: RecordedCall[] };
  readonly #client: BpfmapClient;
  readonly #request: WatchInit;
  #stop = new AbortController();
  #reading: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};
  #resume: (() => void) | undefined;
  #gate: Promise<void> | undefined;

  constructor(name: string, client: BpfmapClient, request: WatchInit, shape: StreamRequest) {
    this.recording = { name, request: shape, calls: [] };
    this.#client = client;
    this.#request = request;
  }

  /** The last call. */
  get call(): RecordedCall | undefined {
    return this.recording.calls.at(-1);
  }

  /** Whether a call runs. */
  get isOpen(): boolean {
    const { call } = this;
    return call !== undefined && !call.failure && !call.ended;
  }

  /** The last bookmark that came, by any call. */
  get lastBookmark(): WatchBookmark | undefined {
    for (const { messages } of this.recording.calls.toReversed()) {
      const bookmark = messages.findLast(({ message }) => message.kind.case === "bookmark");
      if (bookmark?.message.kind.case === "bookmark") return bookmark.message.kind.value;
    }
    return undefined;
  }

  /** Makes a call: from a token, or from the start that the request has. */
  open(resumeToken?: Uint8Array): void {
    const call: RecordedCall = {
      resumeToken: resumeToken && Buffer.from(resumeToken).toString("hex"),
      messages: [],
      pauses: [],
    };
    this.recording.calls.push(call);
    this.#stop = new AbortController();
    const start = resumeToken && { case: "resumeToken" as const, value: resumeToken };
    this.#reading = this.#read(call, start ? { ...this.#request, start } : this.#request);
  }

  /** Goes on where the last bookmark stood, or begins anew. */
  reopen(): void {
    this.open(this.lastBookmark?.resumeToken);
  }

  /** Stops reading. */
  pause(): void {
    if (this.#gate) return;
    this.#gate = new Promise((resolve) => {
      this.#resume = resolve;
    });
    this.call?.pauses.push({ from: Date.now(), to: Number.POSITIVE_INFINITY });
  }

  /** Reads again. */
  resume(): void {
    for (const pause of this.call?.pauses ?? []) pause.to = Math.min(pause.to, Date.now());
    this.#resume?.();
    this.#gate = undefined;
  }

  /** Ends the call. */
  async close(): Promise<void> {
    this.resume();
    this.#stop.abort();
    await this.#reading;
  }

  /** Resolves at the next message, or when the call has ended. */
  news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Waits for a bookmark of a scan that began after a time; makes calls where it must. */
  async settle(since: number): Promise<void> {
    for (;;) {
      if (!this.isOpen) this.reopen();
      const news = this.news();
      const bookmark = this.call?.messages.findLast(
        ({ message }) => message.kind.case === "bookmark",
      );
      if (this.isOpen && bookmark?.message.kind.case === "bookmark") {
        const { scanStarted } = bookmark.message.kind.value;
        if (scanStarted && timestampMs(scanStarted) > since) return;
      }
      await news;
      if (!this.isOpen) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #read(call: RecordedCall, request: WatchInit): Promise<void> {
    try {
      for await (const message of this.#client.maps.watch(request, { signal: this.#stop.signal })) {
        await this.#gate;
        call.messages.push({ at: Date.now(), message });
        this.#wake();
      }
      call.ended = true;
    } catch (error) {
      call.failure = BpfmapError.from(error);
    }
    this.#wake();
  }
}
