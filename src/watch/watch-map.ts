import { setTimeout as sleep } from "node:timers/promises";
import {
  checkCpu,
  fieldError,
  isKeyless,
  MapError,
  type MapHost,
  type MapRecord,
  type OpenMap,
  openMap,
  recordOf,
  requireWalkable,
} from "../maps/index.js";
import { EventView } from "./event-view.js";
import type { MapFeed, Snapshot } from "./map-feed.js";
import { definitionOf, type StreamPosition } from "./resume-token.js";
import { checkWatchFilter, compileWatchFilter } from "./watch-filter.js";
import type { FeedLease, WatchHub } from "./watch-hub.js";
import type { Scan } from "./watch-protocol.js";
import type { ResyncReason, WatchItem, WatchRequest } from "./watch-request.js";

const DEFAULT_BOOKMARK_MS = 10_000;

/** After changes a bookmark follows soon, so that little is told again after a cut. */
const BOOKMARK_AFTER_CHANGES_MS = 200;

/** How often a pin, name or hold whose map is gone is looked at for another. */
const FOLLOW_INTERVAL_MS = 500;

/**
 * Streams a map's contents and their changes. docs/watch.md says what a subscriber may
 * rely on.
 */
export async function* watchMap(
  hub: WatchHub,
  request: WatchRequest,
  signal: AbortSignal,
): AsyncGenerator<WatchItem> {
  const definition = definitionOf([
    request.filter ?? {},
    request.keysOnly,
    request.cpuView ?? {},
    request.previousValues,
  ]);
  let resume = readToken(hub, request, definition);
  let map: OpenMap | undefined = await openMap(hub.host, request.map);
  for (let isFirst = true; map; isFirst = false) {
    const stream = new MapStream(hub, map, request, definition, signal);
    yield* stream.run(isFirst ? resume : undefined, !isFirst);
    resume = undefined;
    map = request.follow ? await successorOf(hub.host, request, signal) : undefined;
  }
}

function readToken(
  hub: WatchHub,
  { start }: WatchRequest,
  definition: string,
): StreamPosition | undefined {
  if (typeof start === "string") return undefined;
  const position = hub.tokens.open(start.resumeToken);
  if (position?.definition === definition) return position;
  const why = position
    ? "it belongs to a request with another filter, columns or view"
    : "no daemon of this host made it";
  throw fieldError("RESUME_TOKEN_INVALID", "resume_token", why);
}

/** The map that the reference names next; waits for it. */
async function successorOf(
  host: MapHost,
  request: WatchRequest,
  signal: AbortSignal,
): Promise<OpenMap | undefined> {
  if (request.map.by === "id") return undefined;
  for (;;) {
    try {
      return await openMap(host, request.map);
    } catch (error) {
      if (!(error instanceof MapError) || !error.reason.endsWith("NOT_FOUND")) throw error;
    }
    await sleep(FOLLOW_INTERVAL_MS, undefined, { signal });
  }
}

/** The part of a watch that concerns one map, from its first scan to its end. */
class MapStream {
  readonly #hub: WatchHub;
  readonly #request: WatchRequest;
  readonly #definition: string;
  readonly #signal: AbortSignal;
  readonly #record: MapRecord;
  readonly #view: EventView;
  readonly #lease: FeedLease;
  readonly #feed: MapFeed;
  readonly #bookmarkMs: number;
  #tellsEveryCall = false;
  #revision = 0;
  #bookmarkDue = 0;

  /** Takes over the open map, and closes it: the feed opens it for each look. */
  constructor(
    hub: WatchHub,
    map: OpenMap,
    request: WatchRequest,
    definition: string,
    signal: AbortSignal,
  ) {
    this.#hub = hub;
    this.#request = request;
    this.#definition = definition;
    this.#signal = signal;
    this.#bookmarkMs = request.bookmarkIntervalMs ?? DEFAULT_BOOKMARK_MS;
    try {
      const keyKind = checkRequest(hub.host, map, request);
      this.#record = recordOf(hub.host, map);
      const isChosen = compileWatchFilter(request.filter, map.layout, keyKind);
      this.#view = new EventView(map.layout, isChosen, request);
      this.#lease = hub.join(map);
    } finally {
      map.close();
    }
    this.#feed = this.#lease.feed;
  }

  async *run(resume: StreamPosition | undefined, isRecreated: boolean): AsyncGenerator<WatchItem> {
    try {
      if (isRecreated) yield resync("map_recreated");
      await this.#chooseSource();
      yield this.#created();
      if (!(await this.#firstScan())) return yield* this.#gone();
      yield* this.#start(resume, isRecreated);
      yield* this.#follow();
    } finally {
      this.#lease.release();
    }
  }

  /** Starts to trace where that is asked for, and asks for scans as often as is needed. */
  async #chooseSource(): Promise<void> {
    const { fidelity, pollIntervalMs } = this.#request;
    const { defaultIntervalMs, tracedIntervalMs } = this.#hub.limits;
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
      epoch: this.#hub.epoch,
    };
  }

  /** Waits for the feed's first scan; false where the map has gone before. */
  async #firstScan(): Promise<boolean> {
    while (!this.#feed.lastScan) {
      if (this.#hasEnded()) return false;
      await this.#news(Number.POSITIVE_INFINITY);
    }
    return true;
  }

  async *#start(
    resume: StreamPosition | undefined,
    isRecreated: boolean,
  ): AsyncGenerator<WatchItem> {
    const refusal = resume && this.#whyNotResume(resume);
    if (resume && !refusal) {
      this.#revision = resume.revision;
    } else if (refusal) {
      yield* this.#startOver(refusal);
    } else if (this.#request.start === "updates" && !isRecreated) {
      this.#revision = this.#feed.history.latest;
    } else {
      yield* this.#snapshot();
    }
  }

  #whyNotResume(position: StreamPosition): ResyncReason | undefined {
    const { bootId } = this.#hub.host.identity;
    const epoch = this.#hub.epoch.toString("hex");
    if (position.bootId !== bootId || position.epoch !== epoch) return "epoch_changed";
    if (position.mapId !== this.#feed.id) return "map_recreated";
    return this.#feed.history.after(position.revision) ? undefined : "history_expired";
  }

  async *#startOver(reason: ResyncReason, lost = 0): AsyncGenerator<WatchItem> {
    yield resync(reason, lost);
    yield* this.#snapshot();
  }

  async *#snapshot(): AsyncGenerator<WatchItem> {
    const snapshot: Snapshot | undefined = await this.#feed.snapshot();
    if (!snapshot) return; // the feed has ended, which is told next
    const { revision, scan } = snapshot;
    for (const chunk of snapshot.chunks) {
      for (const events of this.#view.ofSnapshot(chunk, revision, scan)) {
        yield { kind: "events", events };
      }
    }
    this.#revision = revision;
    yield this.#bookmark(scan, true);
  }

  /** Tells changes until the map is gone. */
  async *#follow(): AsyncGenerator<WatchItem> {
    for (;;) {
      const revisions = this.#feed.history.after(this.#revision);
      if (!revisions) {
        // The reader was slower than the history is long.
        yield* this.#startOver("overflow");
        if (this.#hasEnded()) return yield* this.#gone();
        continue;
      }
      const lost = revisions.reduce((sum, revision) => sum + revision.lost, 0);
      if (this.#tellsEveryCall && lost > 0) {
        yield* this.#startOver("trace_lost", lost);
        continue;
      }
      this.#revision = this.#feed.history.latest;
      const messages = this.#tellsEveryCall
        ? revisions.flatMap((revision) => this.#view.ofRevision(revision))
        : this.#view.ofRevisions(revisions);
      for (const events of messages) yield { kind: "events", events };
      if (messages.length > 0) this.#wantBookmarkWithin(BOOKMARK_AFTER_CHANGES_MS);
      const { lastScan } = this.#feed;
      const wait = this.#bookmarkDue - performance.now();
      if (lastScan && wait <= 0) yield this.#bookmark(lastScan, false);
      if (this.#feed.history.latest > this.#revision) continue;
      if (this.#hasEnded()) return yield* this.#gone();
      await this.#news(Math.max(0, this.#bookmarkDue - performance.now()));
    }
  }

  async *#gone(): AsyncGenerator<WatchItem> {
    yield { kind: "map_gone", id: this.#feed.id };
  }

  /** Whether the map is gone; throws what else has ended the feed. */
  #hasEnded(): boolean {
    this.#signal.throwIfAborted();
    const { end } = this.#feed;
    if (end?.error !== undefined) throw end.error;
    return end !== undefined;
  }

  #wantBookmarkWithin(ms: number): void {
    this.#bookmarkDue = Math.min(this.#bookmarkDue, performance.now() + ms);
  }

  #bookmark(scan: Scan, snapshotDone: boolean): WatchItem {
    this.#bookmarkDue = performance.now() + this.#bookmarkMs;
    const resumeToken = this.#hub.tokens.seal({
      bootId: this.#hub.host.identity.bootId,
      epoch: this.#hub.epoch.toString("hex"),
      mapId: this.#feed.id,
      definition: this.#definition,
      revision: this.#revision,
    });
    const { intervalMs } = this.#feed.schedule;
    return {
      kind: "bookmark",
      resumeToken,
      revision: this.#revision,
      snapshotDone,
      scan,
      intervalMs,
    };
  }

  /** Waits for news of the feed, at most so many milliseconds, or the call's end. */
  async #news(maxMs: number): Promise<void> {
    const woken = new AbortController();
    const signal = AbortSignal.any([this.#signal, woken.signal]);
    const delay = Math.min(maxMs, 2 ** 31 - 1);
    try {
      await Promise.race([this.#feed.bell.next, sleep(delay, undefined, { signal })]);
    } finally {
      woken.abort();
    }
  }
}

function resync(reason: ResyncReason, lost = 0): WatchItem {
  return { kind: "resync", reason, lost };
}

/** Refuses what cannot be watched; answers what the map's keys are. */
function checkRequest(host: MapHost, map: OpenMap, request: WatchRequest): string {
  refuseRecords(host, map);
  requireWalkable(host, map);
  const keyKind = host.capabilities.of(map.info.type)?.keyKind ?? "bytes";
  checkWatchFilter(request.filter, map.layout, keyKind);
  checkCpu(map, request.cpuView, "cpu_view");
  return keyKind;
}

const READ_INSTEAD: Readonly<Record<string, string>> = {
  ringbuf: "ReadRecords",
  perf_event_array: "ReadRecords",
  queue: "PopElements",
  stack: "PopElements",
};

function refuseRecords(host: MapHost, map: OpenMap): void {
  const name = host.capabilities.of(map.info.type)?.name ?? "";
  const instead = READ_INSTEAD[name];
  if (!instead && !isKeyless(map.info.type)) return;
  throw new MapError(
    "OPERATION_NOT_SUPPORTED",
    `${map.label} cannot be watched: it has no elements that stay${instead ? `; use ${instead}` : ""}`,
    { metadata: { map: map.label, operation: "watch" } },
  );
}
