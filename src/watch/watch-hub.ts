import { randomBytes } from "node:crypto";
import { MapError, type MapHost, type OpenMap, ThreadPool } from "../maps/index.js";
import { MapFeed } from "./map-feed.js";
import { ResumeTokens } from "./resume-token.js";
import type { WatchLimits } from "./watch-limits.js";
import type { FeedState, WatchObserver } from "./watch-observer.js";

/** A subscriber's place in a feed. */
export interface FeedLease {
  readonly feed: MapFeed;
  /** Asks for scans at this interval at least, in milliseconds; before it there may be none. */
  want(intervalMs: number): void;
  /** Leaves the feed, which ends with its last subscriber. */
  release(): void;
}

/**
 * How long a feed that nobody watches keeps what it knows, so that a client whose
 * connection was cut can go on where it was. It does not scan meanwhile.
 */
const REST_MS = 30_000;

interface FeedEntry {
  readonly feed: MapFeed;
  readonly mapName: string;
  subscribers: number;
  /** Runs while nobody watches. */
  rest: NodeJS.Timeout | undefined;
}

/** The watches of this daemon: one feed for each map that is watched. */
export class WatchHub {
  readonly host: MapHost;
  readonly limits: WatchLimits;
  readonly tokens: ResumeTokens;
  readonly observer: WatchObserver | undefined;
  /** Random id of this run, which revisions belong to. */
  readonly epoch: Buffer = randomBytes(16);
  readonly #threads: ThreadPool;
  readonly #feeds = new Map<number, FeedEntry>();
  /** No revision of this run was higher, so that those of a map never fall. */
  #highestRevision = 0;

  /** @param tokenKey secret that resume tokens are made with, the same over restarts */
  constructor(host: MapHost, limits: WatchLimits, tokenKey: Buffer, observer?: WatchObserver) {
    this.host = host;
    this.limits = limits;
    this.observer = observer;
    this.tokens = new ResumeTokens(tokenKey, host.identity.bootId);
    this.#threads = new ThreadPool(
      new URL("./thread.js", import.meta.url),
      limits.threads,
      // Feeds are counted here: one that has ended may still have its job.
      Number.POSITIVE_INFINITY,
    );
    host.onWrite((mapId, keys) => this.#wrote(mapId, keys));
  }

  /** Subscribers now. */
  get watchCount(): number {
    let count = 0;
    for (const { subscribers } of this.#feeds.values()) count += subscribers;
    return count;
  }

  /** How each map's watch is doing. */
  get feeds(): FeedState[] {
    return [...this.#feeds.values()].map(({ feed, mapName, subscribers }) => ({
      ...{ mapId: feed.id, mapName, subscribers },
      ...{ source: feed.source.kind, lastScan: feed.lastScan },
    }));
  }

  /** Joins the feed of an open map. */
  join(map: OpenMap): FeedLease {
    if (this.watchCount >= this.limits.maxWatches) {
      throw limitError(`${this.limits.maxWatches} watches run already (watch.max_watches)`);
    }
    const entry = this.#entryOf(map);
    const { feed } = entry;
    const who = {};
    clearTimeout(entry.rest);
    entry.subscribers++;
    const want = (intervalMs: number) => {
      feed.schedule.want(who, Math.max(intervalMs, this.limits.minIntervalMs));
      if (feed.isResting) feed.wake();
      else feed.reschedule();
    };
    return { feed, want, release: () => this.#leave(entry, who) };
  }

  /** Ends all feeds and their threads. */
  async close(): Promise<void> {
    for (const { feed } of this.#feeds.values()) feed.close();
    this.#feeds.clear();
    await this.#threads.close();
  }

  #entryOf(map: OpenMap): FeedEntry {
    const existing = this.#feeds.get(map.info.id);
    // A feed that has failed is not one to join; ids are not used again within a boot.
    if (existing && !existing.feed.end) return existing;
    if (existing) this.#drop(existing);
    if (this.#feeds.size >= this.limits.maxMaps) this.#dropResting();
    const start = this.#highestRevision + 1;
    const feed = new MapFeed(this.host, this.#threads, map, this.limits, start, this.observer);
    const entry: FeedEntry = { feed, mapName: map.info.name, subscribers: 0, rest: undefined };
    this.#feeds.set(feed.id, entry);
    return entry;
  }

  #leave(entry: FeedEntry, who: object): void {
    const { feed } = entry;
    feed.schedule.forget(who);
    entry.subscribers--;
    if (entry.subscribers > 0) {
      feed.reschedule();
    } else if (feed.end) {
      this.#drop(entry);
    } else {
      feed.rest();
      entry.rest = setTimeout(() => this.#drop(entry), REST_MS).unref();
    }
  }

  /** Makes room for another feed, at the cost of one that nobody watches. */
  #dropResting(): void {
    const resting = [...this.#feeds.values()].find(({ subscribers }) => subscribers === 0);
    if (!resting) {
      throw limitError(`${this.limits.maxMaps} maps are watched already (watch.max_maps)`);
    }
    this.#drop(resting);
  }

  #drop(entry: FeedEntry): void {
    const { feed } = entry;
    clearTimeout(entry.rest);
    this.#highestRevision = Math.max(this.#highestRevision, feed.history.latest);
    if (this.#feeds.get(feed.id) === entry) this.#feeds.delete(feed.id);
    if (entry.subscribers === 0) feed.close();
  }

  #wrote(mapId: number, keys: Uint8Array | undefined): void {
    this.#feeds.get(mapId)?.feed.wrote(keys);
  }
}

function limitError(what: string): MapError {
  return new MapError("LIMIT_EXCEEDED", `${what}: end some, or raise the limit`);
}
