import { Bell } from "../store/bell.js";

/** Events of many hosts on their way to one who reads them, in memory that is bounded. */
export class EventQueue<T> {
  readonly #maxBytes: number;
  readonly #news = new Bell();
  readonly #room = new Bell();
  #events: { readonly event: T; readonly bytes: number }[] = [];
  /** Events before this one have been read. */
  #head = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether who sends has to wait. */
  get isFull(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  /** Adds an event when there is room for it. Throws where the signal is aborted. */
  async send(event: T, bytes: number, signal: AbortSignal): Promise<void> {
    // Others may have been quicker.
    do await this.room(signal);
    while (this.isFull);
    this.push(event, bytes);
  }

  /** Settles when there is room. Throws where the signal is aborted. */
  async room(signal: AbortSignal): Promise<void> {
    await until(() => !this.isFull, this.#room, signal);
  }

  /** Adds an event that must not wait, which should be small. */
  push(event: T, bytes: number): void {
    this.#events.push({ event, bytes });
    this.#bytes += bytes;
    this.#news.ring();
  }

  /** The next event. Throws where the signal is aborted. */
  async next(signal: AbortSignal): Promise<T> {
    await until(() => this.#events.length > this.#head, this.#news, signal);
    const { event, bytes } = this.#events[this.#head++]!;
    if (this.#head * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
    const half = this.#maxBytes / 2;
    const wasOver = this.#bytes > half;
    this.#bytes -= bytes;
    // Once for all who wait, rather than for each event that makes room for one.
    if (wasOver && this.#bytes <= half) this.#room.ring();
    return event;
  }
}

async function until(isSo: () => boolean, bell: Bell, signal: AbortSignal): Promise<void> {
  const stop = () => bell.ring();
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (!isSo() && !signal.aborted) await bell.next;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  signal.throwIfAborted();
}
