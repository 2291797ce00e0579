import { type BpfmapClient, type MapRefInit, mapRef } from "@bpfmapd/client";
import type {
  WatchBookmark,
  WatchCreated,
  WatchRequest,
  WatchRequestSchema,
  WatchResponse,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { onTestFinished } from "vitest";
import { type EventRow, eventRows } from "./event-rows.js";

type Kind = NonNullable<WatchResponse["kind"]["case"]>;
type Message<K extends Kind> = Extract<WatchResponse["kind"], { case: K }>["value"];

type WatchInit = Exclude<MessageInitShape<typeof WatchRequestSchema>, WatchRequest>;

/** A request to watch a map, polled often and with bookmarks at the shortest interval. */
export function watchRequest(map: MapRefInit, more: WatchInit = {}): WatchInit {
  return {
    map: mapRef(map),
    pollInterval: durationFromMs(20),
    bookmarkInterval: durationFromMs(100),
    ...more,
  };
}

/** Reads a watch message by message and applies what it tells. Ended with its test. */
export class WatchReader {
  /** Values, or "" with keys only, by hex of the key. */
  readonly contents = new Map<string, string>();
  /** Changes that were told since {@link takeRows}, without those of snapshots. */
  #rows: EventRow[] = [];
  readonly #messages: AsyncIterator<WatchResponse, undefined>;
  readonly #stop = new AbortController();
  #created: WatchCreated | undefined;
  #bookmark: WatchBookmark | undefined;

  constructor(client: BpfmapClient, request: MessageInitShape<typeof WatchRequestSchema>) {
    const stream = client.maps.watch(request, { signal: this.#stop.signal });
    this.#messages = stream[Symbol.asyncIterator]();
    onTestFinished(() => this.close());
  }

  get created(): WatchCreated {
    if (!this.#created) throw new Error("the stream is not created yet");
    return this.#created;
  }

  /** Token of the last bookmark. */
  get token(): Uint8Array {
    if (!this.#bookmark) throw new Error("no bookmark has come yet");
    return this.#bookmark.resumeToken;
  }

  /** The next message; undefined after the last. Throws what the stream fails with. */
  async next(): Promise<WatchResponse["kind"] | undefined> {
    const { value, done } = await this.#messages.next();
    if (done) return undefined;
    this.#apply(value.kind);
    return value.kind;
  }

  /** Reads up to the next message of a kind, and answers it. */
  async until<K extends Kind>(kind: K): Promise<Message<K>> {
    for (;;) {
      const message = await this.next();
      if (!message) throw new Error(`the stream ended before ${kind}`);
      if (message.case === kind) return message.value as Message<K>;
    }
  }

  /** Reads up to the end of the snapshot. */
  async synced(): Promise<WatchBookmark> {
    for (;;) {
      const bookmark = await this.until("bookmark");
      if (bookmark.snapshotDone) return bookmark;
    }
  }

  /** Reads until a condition holds. */
  async untilHolds(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (!(await this.next())) throw new Error("the stream ended before");
    }
  }

  /** The changes since the last call, or since the snapshot. */
  takeRows(): EventRow[] {
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  close(): void {
    this.#stop.abort();
    void this.#messages.next().catch(() => {});
  }

  #apply(kind: WatchResponse["kind"]): void {
    if (kind.case === "created") this.#created = kind.value;
    if (kind.case === "bookmark") this.#bookmark = kind.value;
    if (kind.case === "resync") this.contents.clear();
    if (kind.case !== "events") return;
    const { map, valueStride } = this.created;
    const rows = eventRows(kind.value, map?.keySize ?? 0, valueStride, (why) => {
      throw new Error(why);
    });
    for (const { key, shown } of rows) {
      if (shown === undefined) this.contents.delete(key);
      else this.contents.set(key, shown);
    }
    if (!kind.value.initial) this.#rows.push(...rows);
  }
}
