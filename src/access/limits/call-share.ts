import { setTimeout as sleep } from "node:timers/promises";
import type { CallerLimiter, Slot } from "./caller-limiter.js";
import type { Limits } from "./limits.js";

/** What one call has taken of what its caller may take; given back when it is over. */
export class CallShare {
  /** Counts for the caller. */
  readonly limiter: CallerLimiter;
  readonly #limits: Limits;
  readonly #slots: readonly Slot[];
  #bytes = 0;
  /** The map that it watches. */
  #mapId: number | undefined;
  /** Gives up waiting for room, of a stream's message that waits. */
  #stopWaiting: (() => void) | undefined;
  #isClosed = false;

  /** Throws CALLER_LIMIT_EXCEEDED where the caller has too much already; nothing is taken then. */
  constructor(limiter: CallerLimiter, limits: Limits, slots: readonly Slot[]) {
    this.limiter = limiter;
    this.#limits = limits;
    this.#slots = slots;
    limiter.beginCall(limits);
    if (slots.length > 0) this.#takeSlots();
  }

  #takeSlots(): void {
    const limiter = this.limiter;
    const slots = this.#slots;
    let taken = 0;
    try {
      for (; taken < slots.length; taken++) limiter.take(slots[taken] as Slot, this.#limits);
    } catch (error) {
      for (const slot of slots.slice(0, taken)) limiter.give(slot);
      throw error;
    }
  }

  /** Counts a request of so many bytes. Throws CALLER_LIMIT_EXCEEDED where it is too much. */
  takeBytes(bytes: number): void {
    if (this.#isClosed) return;
    this.limiter.takeBytes(bytes, this.#limits);
    this.#bytes += bytes;
  }

  /**
   * Counts a message of a stream and calls back, as soon as there is room. The next may come
   * only then.
   */
  whenRoom(bytes: number, go: () => void): void {
    if (this.#isClosed) return;
    if (this.limiter.hasRoom(bytes, this.#limits)) {
      this.#bytes += bytes;
      go();
      return;
    }
    this.#stopWaiting = this.limiter.whenRoom(bytes, this.#limits, () => {
      this.#stopWaiting = undefined;
      this.#bytes += bytes;
      go();
    });
  }

  /** Counts bytes that wait to be sent. */
  addBytes(bytes: number): void {
    if (this.#isClosed) return;
    this.limiter.addBytes(bytes);
    this.#bytes += bytes;
  }

  /** Bytes that have been read or sent. */
  giveBytes(bytes: number): void {
    if (this.#isClosed) return;
    this.#bytes -= bytes;
    this.limiter.giveBytes(bytes);
  }

  /** Whether the caller has so many bytes in flight that a stream should wait. */
  get isOver(): boolean {
    return this.limiter.isOver(this.#limits);
  }

  /** Counts elements to be written. Throws CALLER_LIMIT_EXCEEDED where it is too soon. */
  takeElements(count: number): void {
    this.limiter.takeElements(count, this.#limits);
  }

  /** Counts elements to be written, and waits until they may be. */
  async elementsWhenDue(count: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const waitMs = this.limiter.elementsDueMs(count, this.#limits);
      if (waitMs === 0) return;
      await sleep(waitMs, undefined, { signal });
    }
  }

  /**
   * Takes a hold, which outlives the call: what it answers gives it back. Throws
   * CALLER_LIMIT_EXCEEDED.
   */
  claimHold(): () => void {
    const { limiter } = this;
    limiter.take("held_maps", this.#limits);
    return () => limiter.give("held_maps");
  }

  /** The call watches a map, of which so many bytes are kept. Throws CALLER_LIMIT_EXCEEDED. */
  keeps(mapId: number, bytes: number): void {
    if (this.#isClosed) return;
    if (this.#mapId !== mapId) {
      this.#leave();
      this.limiter.joinMap(mapId, this.#limits);
      this.#mapId = mapId;
    }
    this.limiter.keepMap(mapId, bytes, this.#limits);
  }

  #leave(): void {
    if (this.#mapId !== undefined) this.limiter.leaveMap(this.#mapId);
    this.#mapId = undefined;
  }

  /** The call is over. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopWaiting?.();
    this.#leave();
    for (const slot of this.#slots) this.limiter.give(slot);
    if (this.#bytes !== 0) this.limiter.giveBytes(this.#bytes);
  }
}
