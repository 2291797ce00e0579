import { MapError } from "../../maps/index.js";

/** Bytes of a part at most: the contract's CallData.data. */
export const MAX_PART_BYTES = 64 * 1024;

/** What a part counts beside its data, so that empty ones are not for nothing. */
const PART_OVERHEAD = 32;

/** What a part of a message takes of its call's credit. */
export function costOf(data: Uint8Array): number {
  return data.length + PART_OVERHEAD;
}

/** Credit that the other side has given for one call's messages. */
export class SendWindow {
  #credit: number;
  #failure: unknown;
  #wake: (() => void) | undefined;

  constructor(credit: number) {
    this.#credit = credit;
  }

  /** More may be sent. */
  grant(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > 0) this.#rouse();
  }

  /** Nothing can be sent any more: who waits is told. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#rouse();
  }

  /**
   * Takes credit for a part, waiting until there is any: a part may overdraw it, so that no
   * window is too small for one.
   */
  async take(bytes: number): Promise<void> {
    while (this.#failure === undefined && this.#credit <= 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
    this.#credit -= bytes;
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** Sends a message in parts, each when there is credit for it and room on the stream. */
export async function sendMessage(
  message: Uint8Array,
  window: SendWindow,
  send: (data: Uint8Array, more: boolean) => Promise<void>,
): Promise<void> {
  let start = 0;
  do {
    const end = Math.min(start + MAX_PART_BYTES, message.length);
    const part = message.subarray(start, end);
    await window.take(costOf(part));
    await send(part, end < message.length);
    start = end;
  } while (start < message.length);
}

interface Waiting {
  readonly message: Uint8Array;
  readonly owed: number;
}

/**
 * One call's messages as they come in parts. Credit is given back as they are read, so that a
 * reader who is slow has one window of them waiting, and one message that is being put together.
 */
export class IncomingMessages implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #maxBytes: number;
  readonly #grant: (bytes: number) => void;
  readonly #waiting: Waiting[] = [];
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #owed = 0;
  #end: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** @param maxBytes of a message */
  constructor(maxBytes: number, grant: (bytes: number) => void) {
    this.#maxBytes = maxBytes;
    this.#grant = grant;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Takes a part. Throws where the message is larger than any may be. */
  receive(data: Uint8Array, more: boolean): void {
    if (this.#end) return;
    this.#owed += costOf(data);
    this.#partBytes += data.length;
    if (this.#partBytes > this.#maxBytes) {
      throw new MapError(
        "LIMIT_EXCEEDED",
        `a message of the call has more than the ${this.#maxBytes} bytes of the setting limits.max_message_bytes`,
        { metadata: { limit: "limits.max_message_bytes" } },
      );
    }
    this.#parts.push(data);
    if (more) {
      if (this.#waiting.length === 0) this.#pay();
      return;
    }
    this.#waiting.push({ message: join(this.#parts), owed: this.#owed });
    this.#parts = [];
    this.#partBytes = 0;
    this.#owed = 0;
    this.#rouse();
  }

  /** No further message comes: those that wait are read, then the end, or the error. */
  end(error?: unknown): void {
    this.#end ??= { error };
    this.#rouse();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        if (!this.#end) this.#grant(next.owed);
        // What is being put together may go on, now that nothing is before it.
        if (this.#waiting.length === 0 && this.#owed > 0) this.#pay();
        return { done: false, value: next.message };
      }
      if (this.#end) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#waiting.length = 0;
    this.end();
    return { done: true, value: undefined };
  }

  #pay(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (!this.#end && owed > 0) this.#grant(owed);
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}
