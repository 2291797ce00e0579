import {
  MapError,
  type MapHost,
  type MapRecord,
  type OpenMap,
  openMap,
  recordOf,
  ThreadPool,
} from "../maps/index.js";
import { checkRequest, checkSameSlots, makeReading } from "./reading.js";
import { type Joined, RecordFeed } from "./record-feed.js";
import type { RecordLimits } from "./record-limits.js";
import type { RecordRequest } from "./record-request.js";

/** A subscriber's place in the records of a map. */
export interface JoinedMap extends Joined {
  readonly map: MapRecord;
}

/** The rings that this daemon reads and writes: one reader for each that has subscribers. */
export class RecordHub {
  readonly host: MapHost;
  readonly limits: RecordLimits;
  readonly #threads: ThreadPool;
  readonly #feeds = new Map<number, RecordFeed>();
  /** Ids of the maps that calls write records into. */
  readonly #written = new Set<number>();

  constructor(host: MapHost, limits: RecordLimits) {
    this.host = host;
    this.limits = limits;
    this.#threads = new ThreadPool(
      new URL("./thread.js", import.meta.url),
      limits.threads,
      Number.POSITIVE_INFINITY, // feeds are counted here
    );
  }

  /** Subscribers now. */
  get subscriberCount(): number {
    let count = 0;
    for (const { memberCount } of this.#feeds.values()) count += memberCount;
    return count;
  }

  /** Subscribes to a map's records; close the subscription to leave. Throws a MapError. */
  async join(request: RecordRequest): Promise<JoinedMap> {
    const map = await openMap(this.host, request.map);
    let isNew = false;
    try {
      checkRequest(this.host, map, request);
      const record = recordOf(this.host, map);
      // A reader that ends must be gone before another one may touch the ring.
      await this.#untilGone(map.info.id);
      this.#checkLimits(map.info.id);
      const running = this.#feeds.get(map.info.id);
      if (running) checkSameSlots(running.args, request);
      const feed = running ?? this.#startFeed(map, request);
      isNew = feed !== running;
      const queueBytes = request.queueBytes || this.limits.queueBytes;
      return { ...(await feed.join(queueBytes, request.start === "now")), map: record };
    } catch (error) {
      throw map.named(error);
    } finally {
      if (!isNew) map.close();
    }
  }

  /** Takes a map for writing records into it; the answer gives it back. Throws RING_BUSY. */
  takeForWriting({ info, label }: OpenMap): () => void {
    if (this.#written.has(info.id)) {
      throw new MapError(
        "RING_BUSY",
        `${label} is written by another call, and a ring has one writer: wait until that has ended`,
        { metadata: { map: label, operation: "write records" } },
      );
    }
    this.#written.add(info.id);
    return () => void this.#written.delete(info.id);
  }

  /** Ends all readers and their threads. */
  async close(): Promise<void> {
    await this.#threads.close();
  }

  /** The map is the feed's from then on. */
  #startFeed(map: OpenMap, request: RecordRequest): RecordFeed {
    const { args, release } = makeReading(this.host, map, request);
    const feed = new RecordFeed(this.#threads, args, release);
    this.#feeds.set(map.info.id, feed);
    void feed.ended.then(() => this.#forget(map.info.id, feed));
    return feed;
  }

  async #untilGone(id: number): Promise<void> {
    for (let feed = this.#feeds.get(id); feed?.isOver; feed = this.#feeds.get(id)) {
      await feed.ended;
      this.#forget(id, feed);
    }
  }

  #forget(id: number, feed: RecordFeed): void {
    if (this.#feeds.get(id) === feed) this.#feeds.delete(id);
  }

  #checkLimits(id: number): void {
    const { maxSubscribers, maxMaps } = this.limits;
    if (this.subscriberCount >= maxSubscribers) {
      throw limitError(`${maxSubscribers} streams of records run already`, "max_record_streams");
    }
    const running = [...this.#feeds.values()].filter(({ isOver }) => !isOver);
    if (running.length >= maxMaps && !this.#feeds.has(id)) {
      throw limitError(`the records of ${maxMaps} maps are read already`, "max_record_maps");
    }
  }
}

function limitError(what: string, limit: string): MapError {
  return new MapError("LIMIT_EXCEEDED", `${what} (limits.${limit}): end some, or raise the limit`, {
    metadata: { limit: `limits.${limit}` },
  });
}
