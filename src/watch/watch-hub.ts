import { randomBytes } from "node:crypto";
import { MapError, type MapHost, type OpenMap, ThreadPool } from "../maps/index.js";
import { MapFeed } from "./map-feed.js";
import { ResumeTokens } from "./resume-token.js";
import type { WatchLimits } from "./watch-limits.js";

/** A subscriber's place in a feed. */
export interface FeedLease {
  readonly feed: MapFeed;
  /** Asks for scans at this interval at least, in milliseconds. */
  want(intervalMs: number): void;
  /** Leaves the feed, which ends with its last subscriber. */
  release(): void;
}

/** The watches of this daemon: one feed for each map that is watched. */
export class WatchHub {
  readonly host: MapHost;
  readonly limits: WatchLimits;
  readonly tokens: ResumeTokens;
  /** Random id of this run, which revisions belong to. */
  readonly epoch: Buffer = randomBytes(16);
  readonly #threads: ThreadPool;
  readonly #feeds = new Map<number, { readonly feed: MapFeed; subscribers: number }>();

  /** @param tokenKey secret that resume tokens are made with, the same over restarts */
  constructor(host: MapHost, limits: WatchLimits, tokenKey: Buffer) {
    this.host = host;
    this.limits = limits;
    this.tokens = new ResumeTokens(tokenKey);
    this.#threads = new ThreadPool(
      new URL("./thread.js", import.meta.url),
      limits.threads,
      limits.maxMaps,
    );
    host.onWrite((mapId, keys) => this.#wrote(mapId, keys));
  }

  /** Subscribers now. */
  get watchCount(): number {
    let count = 0;
    for (const { subscribers } of this.#feeds.values()) count += subscribers;
    return count;
  }

  /** Joins the feed of an open map. */
  join(map: OpenMap): FeedLease {
    if (this.watchCount >= this.limits.maxWatches) {
      throw limitError(`${this.limits.maxWatches} watches run already (watch.max_watches)`);
    }
    const entry = this.#entryOf(map);
    const { feed } = entry;
    const who = {};
    entry.subscribers++;
    const want = (intervalMs: number) => {
      feed.schedule.want(who, Math.max(intervalMs, this.limits.minIntervalMs));
      feed.reschedule();
    };
    return { feed, want, release: () => this.#leave(entry, who) };
  }

  /** Ends all feeds and their threads. */
  async close(): Promise<void> {
    for (const { feed } of this.#feeds.values()) feed.close();
    this.#feeds.clear();
    await this.#threads.close();
  }

  #entryOf(map: OpenMap) {
    const { id } = map.info;
    const existing = this.#feeds.get(id);
    // A feed that has failed is not one to join; ids are not used again within a boot.
    if (existing && !existing.feed.end) return existing;
    if (this.#feeds.size >= this.limits.maxMaps) {
      throw limitError(`${this.limits.maxMaps} maps are watched already (watch.max_maps)`);
    }
    const entry = { feed: new MapFeed(this.host, this.#threads, map, this.limits), subscribers: 0 };
    this.#feeds.set(id, entry);
    return entry;
  }

  #leave(entry: { readonly feed: MapFeed; subscribers: number }, who: object): void {
    const { feed } = entry;
    feed.schedule.forget(who);
    entry.subscribers--;
    if (entry.subscribers > 0) {
      feed.reschedule();
    } else {
      feed.close();
      if (this.#feeds.get(feed.id) === entry) this.#feeds.delete(feed.id);
    }
  }

  #wrote(mapId: number, keys: Uint8Array | undefined): void {
    this.#feeds.get(mapId)?.feed.wrote(keys);
  }
}

function limitError(what: string): MapError {
  return new MapError("LIMIT_EXCEEDED", `${what}: end some, or raise the limit`);
}
