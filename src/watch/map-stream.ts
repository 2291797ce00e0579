import {
  type ElementDecoder,
  jsonDecoderFor,
  MapError,
  type MapRecord,
  type OpenMap,
  recordOf,
} from "../maps/index.js";
import { textsOf } from "./event-texts.js";
import { EventView, type Telling } from "./event-view.js";
import type { MapFeed } from "./map-feed.js";
import type { StreamPosition } from "./resume-token.js";
import type { Snapshot } from "./snapshot.js";
import { compileWatchFilter } from "./watch-filter.js";
import type { FeedLease, WatchHub } from "./watch-hub.js";
import type { Scan } from "./watch-protocol.js";
import type { ResyncReason, WatchEvents, WatchItem, WatchRequest } from "./watch-request.js";

const DEFAULT_BOOKMARK_MS = 10_000;

/** After changes a bookmark follows soon, so that little is told again after a cut. */
const BOOKMARK_AFTER_CHANGES_MS = 200;

/** setTimeout fires at once for anything longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What the streams of one request have in common, whatever map they are of. */
export interface StreamContext {
  readonly hub: WatchHub;
  readonly request: WatchRequest;
  /** Hash of what in the request decides what is sent. */
  readonly definition: string;
  readonly signal: AbortSignal;
  /** Whether the request's reference may stand for another map than this one by now. */
  readonly isReplaced: (mapId: number) => Promise<boolean>;
}

/** Messages that wait to be sent, and the scan that they tell all up to. */
interface Batch {
  readonly messages: WatchEvents[];
  readonly lastScan: Scan | undefined;
}

/** The part of a watch that concerns one map, from its first scan to its end. */
export class MapStream {
  readonly #context: StreamContext;
  readonly #record: MapRecord;
  readonly #view: EventView;
  readonly #lease: FeedLease;
  readonly #feed: MapFeed;
  readonly #bookmarkMs: number;
  /** Tells keys and values as JSON, where that is asked for. */
  readonly #decode: ElementDecoder | undefined;
  #tellsEveryCall = false;
  #revision = 0;
  /** Calls that were traced or lost up to where it stands. */
  #calls = 0;
  #bookmarkDue = 0;
  /** All, where an earlier stream has told the reader a part of what comes next. */
  #telling: Telling = "changes only";

  /** The map is open only here: its feed opens it for each look. */
  constructor(context: StreamContext, map: OpenMap, keyKind: string) {
    const { hub, request } = context;
    this.#context = context;
    this.#bookmarkMs = request.bookmarkIntervalMs ?? DEFAULT_BOOKMARK_MS;
    this.#record = recordOf(hub.host, map);
    const isChosen = compileWatchFilter(request.filter, map.layout, keyKind);
    this.#view = new EventView(map.layout, isChosen, request);
    this.#decode = jsonDecoderFor(hub.host, map, request.reading, request.cpuView);
    this.#lease = hub.join(map);
    this.#feed = this.#lease.feed;
  }

  /** Runs until the map is gone, or another one stands in its place. */
  async *run(resume: StreamPosition | undefined, isRecreated: boolean): AsyncGenerator<WatchItem> {
    try {
      this.#account();
      if (isRecreated) yield this.#resync("map_recreated");
      await this.#chooseSource();
      if (this.#context.request.start === "updates") {
        // What is changed once the reader knows that it watches must not be missed.
        await this.#firstScan();
        this.#standAt(this.#feed.history.latest);
      }
      yield this.#created();
      await this.#firstScan();
      if (!this.#hasEnded()) yield* this.#start(resume, isRecreated);
      if (yield* this.#follow()) yield { kind: "map_gone", id: this.#feed.id };
    } finally {
      this.#lease.release();
    }
  }

  /** Starts to trace where that is asked for, and asks for scans as often as is needed. */
  async #chooseSource(): Promise<void> {
    const { hub, request } = this.#context;
    const { fidelity, pollIntervalMs } = request;
    const { defaultIntervalMs, tracedIntervalMs } = hub.limits;
    const source = fidelity === "latest" ? this.#feed.source : await this.#feed.trace();
    const isTraced = source.kind === "trace";
    if (fidelity === "every_call" && !isTraced) {
      throw new MapError(
        "FIDELITY_NOT_AVAILABLE",
        `map ${this.#feed.id}: not every call can be told, because ${source.reason}; ask for LATEST or BEST_AVAILABLE`,
        { metadata: { map: String(this.#feed.id), source: source.kind } },
      );
    }
    this.#tellsEveryCall = isTraced && fidelity !== "latest";
    this.#lease.want(pollIntervalMs ?? (isTraced ? tracedIntervalMs : defaultIntervalMs));
  }

  #created(): WatchItem {
    return {
      kind: "created",
      map: this.#record,
      valueStride: this.#view.valueStride,
      source: this.#feed.source,
      fidelity: this.#tellsEveryCall ? "every_call" : "latest",
      intervalMs: this.#feed.schedule.intervalMs,
      epoch: this.#context.hub.epoch,
    };
  }

  #told(events: WatchEvents): WatchItem {
    const besideBytes = this.#context.request.reading?.format === "both";
    const texts = this.#decode && textsOf(events, this.#decode, besideBytes);
    return { kind: "events", events, texts };
  }

  /** Waits for the feed's first scan, or its end. */
  async #firstScan(): Promise<void> {
    while (!this.#feed.isScanned && !this.#hasEnded()) await this.#news(MAX_TIMER_MS);
  }

  async *#start(
    resume: StreamPosition | undefined,
    isRecreated: boolean,
  ): AsyncGenerator<WatchItem> {
    const refusal = resume && this.#whyNotResume(resume);
    if (resume && !refusal) {
      this.#standAt(resume.revision);
      this.#telling = "all";
    } else if (refusal) {
      yield* this.#startOver(refusal);
    } else if (this.#context.request.start !== "updates" || isRecreated) {
      const snapshot = await this.#snapshot(0);
      if (snapshot) yield* this.#tellSnapshot(snapshot);
    }
  }

  #standAt(revision: number): void {
    this.#revision = revision;
    this.#calls = this.#feed.history.callsUpTo(revision);
  }

  #whyNotResume(position: StreamPosition): ResyncReason | undefined {
    const { hub } = this.#context;
    const { bootId } = hub.host.identity;
    const epoch = hub.epoch.toString("hex");
    if (position.bootId !== bootId || position.epoch !== epoch) return "epoch_changed";
    if (position.mapId !== this.#feed.id) return "map_recreated";
    return this.#feed.history.after(position.revision) ? undefined : "history_expired";
  }

  /** With every call, none of those after a snapshot may have been made before there was a trace. */
  #snapshot(notBefore: number): Promise<Snapshot | undefined> {
    const since = this.#tellsEveryCall ? this.#feed.tracedSince : 0;
    return this.#feed.snapshot(Math.max(notBefore, since));
  }

  /** Tells the map's contents anew, as of a revision not before `notBefore`. */
  async *#startOver(reason: ResyncReason, notBefore = 0): AsyncGenerator<WatchItem> {
    const snapshot = await this.#snapshot(notBefore);
    if (!snapshot) return;
    const isCounted = this.#tellsEveryCall && (reason === "trace_lost" || reason === "overflow");
    yield this.#resync(reason, isCounted ? snapshot.calls - this.#calls : 0);
    yield* this.#tellSnapshot(snapshot);
  }

  async *#tellSnapshot(snapshot: Snapshot): AsyncGenerator<WatchItem> {
    const { revision, scan } = snapshot;
    this.#calls = snapshot.calls;
    for (let number = 0; number < (snapshot.chunks?.length ?? 0); number++) {
      const chunk = snapshot.chunks?.[number];
      const messages = chunk ? this.#view.ofSnapshot(chunk, revision, scan) : [];
      for (const events of messages) yield this.#told(events);
    }
    if (!snapshot.chunks) return yield* this.#startOver("overflow");
    this.#revision = revision;
    yield this.#bookmark(scan, true);
  }

  /** Tells changes; answers true once the map is gone, false once another one is to be followed. */
  async *#follow(): AsyncGenerator<WatchItem, boolean> {
    for (;;) {
      const batch = this.#nextBatch();
      if (batch === "overflow") {
        if (this.#hasEnded()) return true;
        // The reader was slower than the history is long.
        yield* this.#startOver(batch);
        continue;
      }
      if (batch === "trace_lost") {
        // An older snapshot would be followed by the loss again.
        yield* this.#startOver(batch, this.#feed.history.latest);
        if (this.#hasEnded()) return true;
        continue;
      }
      const { messages, lastScan } = batch;
      const hasNews = messages.length > 0;
      for (let next = messages.shift(); next; next = messages.shift()) yield this.#told(next);
      if (hasNews) this.#wantBookmarkWithin(BOOKMARK_AFTER_CHANGES_MS);
      if (lastScan && performance.now() >= this.#bookmarkDue) yield this.#bookmark(lastScan, false);
      if (await this.#context.isReplaced(this.#feed.id)) return false;
      if (this.#feed.history.latest > this.#revision) continue;
      if (this.#hasEnded()) return true;
      await this.#news(Math.max(0, this.#bookmarkDue - performance.now()));
    }
  }

  /**
   * What is to be told next, up to a loss of calls; or why there must be a new start. Who
   * waits for a slow reader keeps messages, not the revisions that they were made of.
   */
  #nextBatch(): Batch | "overflow" | "trace_lost" {
    const all = this.#feed.history.after(this.#revision);
    if (!all) return "overflow";
    const loss = this.#tellsEveryCall ? all.findIndex(({ lost }) => lost > 0) : -1;
    if (loss === 0) return "trace_lost";
    const revisions = loss < 0 ? all : all.slice(0, loss);
    // What is seen while the messages wait to be sent is not in them, nor what a loss hides.
    const lastScan = loss < 0 ? this.#feed.lastScan : undefined;
    this.#standAt(revisions.at(-1)?.number ?? this.#revision);
    const messages = this.#tellsEveryCall
      ? revisions.flatMap((revision) => this.#view.ofEveryCall(revision))
      : this.#view.ofRevisions(revisions, this.#telling);
    this.#telling = "changes only";
    return { messages, lastScan };
  }

  /** Whether the map is gone; throws what else has ended the feed. */
  #hasEnded(): boolean {
    this.#context.signal.throwIfAborted();
    const { end } = this.#feed;
    if (end?.error !== undefined) throw end.error;
    return end !== undefined;
  }

  #wantBookmarkWithin(ms: number): void {
    this.#bookmarkDue = Math.min(this.#bookmarkDue, performance.now() + ms);
  }

  #bookmark(scan: Scan, snapshotDone: boolean): WatchItem {
    const { hub, definition } = this.#context;
    this.#bookmarkDue = performance.now() + this.#bookmarkMs;
    const resumeToken = hub.tokens.seal({
      bootId: hub.host.identity.bootId,
      epoch: hub.epoch.toString("hex"),
      mapId: this.#feed.id,
      definition,
      revision: this.#revision,
    });
    return {
      kind: "bookmark",
      resumeToken,
      revision: this.#revision,
      snapshotDone,
      scan,
      intervalMs: this.#feed.schedule.intervalMs,
    };
  }

  #resync(reason: ResyncReason, lost = 0): WatchItem {
    this.#context.hub.observer?.resynced(reason);
    return { kind: "resync", reason, lost };
  }

  /** Waits for news of the feed, at most so many milliseconds, or for the call's end. */
  async #news(maxMs: number): Promise<void> {
    const { signal } = this.#context;
    let stop = () => {};
    const enough = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(maxMs, MAX_TIMER_MS));
      const end = () => resolve();
      signal.addEventListener("abort", end, { once: true });
      stop = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
      };
    });
    await Promise.race([this.#feed.bell.next, enough]);
    stop();
    signal.throwIfAborted();
    this.#account();
  }

  #account(): void {
    const { id, lastScan } = this.#feed;
    this.#context.request.account?.keeps(id, lastScan?.shadowBytes ?? 0);
  }
}
