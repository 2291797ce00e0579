import { Bell } from "../store/bell.js";

/** Events of many hosts on their way to one who reads them, in memory that is bounded. */
export class EventQueue<T> {
  readonly #events: { readonly event: T; readonly bytes: number }[] = [];
  readonly #maxBytes: number;
  readonly #news = new Bell();
  readonly #room = new Bell();
  #bytes = 0;
  #waiting = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether who sends should wait for {@link room} first. */
  get isFull(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  /** How many wait for room. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Adds an event. Nobody is kept from it: who sends asks for room before. */
  push(event: T, bytes: number): void {
    this.#events.push({ event, bytes });
    this.#bytes += bytes;
    this.#news.ring();
  }

  /** Settles when half of what there is room for is free. Throws where the signal is aborted. */
  async room(signal: AbortSignal): Promise<void> {
    const stop = () => this.#room.ring();
    signal.addEventListener("abort", stop, { once: true });
    this.#waiting++;
    try {
      while (this.#bytes > this.#maxBytes / 2 && !signal.aborted) await this.#room.next;
    } finally {
      this.#waiting--;
      signal.removeEventListener("abort", stop);
    }
    signal.throwIfAborted();
  }

  /** The next event. Throws where the signal is aborted. */
  async next(signal: AbortSignal): Promise<T> {
    const stop = () => this.#news.ring();
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (this.#events.length === 0 && !signal.aborted) await this.#news.next;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    signal.throwIfAborted();
    const { event, bytes } = this.#events.shift()!;
    this.#bytes -= bytes;
    if (this.#waiting > 0 && this.#bytes <= this.#maxBytes / 2) this.#room.ring();
    return event;
  }
}
