import { limitError } from "./limit-error.js";
import type { Limits } from "./limits.js";
import { Rate } from "./rate.js";
import { WatchedMaps } from "./watched-maps.js";

/** What is counted: taken, and given back. */
export type Slot =
  | "connections"
  | "calls"
  | "streams"
  | "scans"
  | "watches"
  | "record_streams"
  | "held_maps";

/** When a call is worth to be made again that had no room. */
const RETRY_MS = 100;

interface Waiting {
  readonly bytes: number;
  readonly limits: Limits;
  readonly go: () => void;
}

/**
 * What one caller has taken, over all its connections. How much it may take is given with
 * each call, by the policy of then.
 */
export class CallerLimiter {
  /** Name of the caller, such as "uid 1000". */
  readonly caller: string;
  readonly #taken: Record<Slot, number> = {
    ...{ connections: 0, calls: 0, streams: 0, scans: 0, watches: 0 },
    ...{ record_streams: 0, held_maps: 0 },
  };
  readonly #calls = new Rate();
  readonly #elements = new Rate();
  readonly #watched = new WatchedMaps();
  readonly #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(caller: string) {
    this.caller = caller;
  }

  /** Whether nothing is taken, so that it need not be kept. */
  get isIdle(): boolean {
    const isFree = Object.values(this.#taken).every((count) => count === 0);
    return isFree && this.#bytes === 0 && this.#calls.isFull && this.#elements.isFull;
  }

  /** How many of a kind are taken. */
  taken(slot: Slot): number {
    return this.#taken[slot];
  }

  /** Bytes in flight. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts a call that begins. Throws CALLER_LIMIT_EXCEEDED where it is one too many. */
  beginCall({ calls_per_second: limit }: Limits): void {
    if (limit === Number.POSITIVE_INFINITY) return;
    const waitMs = this.#calls.take(1, limit);
    if (waitMs > 0) throw limitError(this.caller, "calls_per_second", limit, waitMs);
  }

  /** Takes one, to be given back. Throws CALLER_LIMIT_EXCEEDED where all are taken. */
  take(slot: Slot, { [slot]: limit }: Limits): void {
    if (this.#taken[slot] >= limit) {
      throw limitError(this.caller, slot, limit, slot === "calls" ? RETRY_MS : undefined);
    }
    this.#taken[slot]++;
  }

  /** Gives one back. */
  give(slot: Slot): void {
    this.#taken[slot]--;
  }

  /** Bytes that are kept of the maps that the caller watches. */
  get watchedBytes(): number {
    return this.#watched.bytes;
  }

  /** Counts a watch of a map, for {@link leaveMap} to end. Throws CALLER_LIMIT_EXCEEDED. */
  joinMap(mapId: number, { watched_maps: limit }: Limits): void {
    if (this.#watched.count >= limit && !this.#watched.has(mapId)) {
      throw limitError(this.caller, "watched_maps", limit);
    }
    this.#watched.join(mapId);
  }

  /** So many bytes are kept of a map that the caller watches. Throws CALLER_LIMIT_EXCEEDED. */
  keepMap(mapId: number, bytes: number, { watched_bytes: limit }: Limits): void {
    this.#watched.keep(mapId, bytes);
    if (this.#watched.bytes > limit) throw limitError(this.caller, "watched_bytes", limit);
  }

  /** A watch of a map has ended. */
  leaveMap(mapId: number): void {
    this.#watched.leave(mapId);
  }

  /** Counts elements that are to be written. Throws CALLER_LIMIT_EXCEEDED where it is too soon. */
  takeElements(count: number, limits: Limits): void {
    const waitMs = this.elementsDueMs(count, limits);
    if (waitMs === 0) return;
    throw limitError(this.caller, "elements_per_second", limits.elements_per_second, waitMs);
  }

  /** Counts elements that are to be written; or where it is too soon, tells in how many milliseconds. */
  elementsDueMs(count: number, { elements_per_second: limit }: Limits): number {
    const isFree = count === 0 || limit === Number.POSITIVE_INFINITY;
    return isFree ? 0 : this.#elements.take(count, limit);
  }

  /** Counts bytes of a request that comes all at once. Throws CALLER_LIMIT_EXCEEDED. */
  takeBytes(bytes: number, limits: Limits): void {
    if (!this.#fits(bytes, limits)) {
      throw limitError(this.caller, "bytes_in_flight", limits.bytes_in_flight, RETRY_MS);
    }
    this.#bytes += bytes;
  }

  /** Counts bytes of a stream where there is room and no other stream waits for it. */
  hasRoom(bytes: number, limits: Limits): boolean {
    if (this.#waiting.length > 0 || !this.#fits(bytes, limits)) return false;
    this.#bytes += bytes;
    return true;
  }

  /**
   * Counts bytes of a stream and calls back, when there is room; in the order of their coming.
   * Answers how to give up waiting.
   */
  whenRoom(bytes: number, limits: Limits, go: () => void): () => void {
    const waiting = { bytes, limits, go };
    this.#waiting.push(waiting);
    return () => this.#forget(waiting);
  }

  /** Counts bytes that are there whatever the limit: answers. */
  addBytes(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Bytes that are not in flight any more. */
  giveBytes(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#waiting.length > 0) this.#wake();
  }

  /** Whether more bytes are in flight than may be, so that streams should slow down. */
  isOver({ bytes_in_flight: limit }: Limits): boolean {
    return this.#bytes > limit;
  }

  /** One message fits in any case where nothing else is in flight: its size has its own limit. */
  #fits(bytes: number, { bytes_in_flight: limit }: Limits): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= limit;
  }

  #wake(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (!this.#fits(next.bytes, next.limits)) return;
      this.#waiting.shift();
      this.#bytes += next.bytes;
      next.go();
    }
  }

  #forget(waiting: Waiting): void {
    const index = this.#waiting.indexOf(waiting);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    if (index === 0) this.#wake();
  }
}
