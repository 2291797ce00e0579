import type { TransferListItem } from "node:worker_threads";

/** What a job and its client need of a MessagePort. */
export interface JobPort {
  postMessage(message: unknown, transfer: readonly TransferListItem[]): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
  close(): void;
}

/** One end of a channel within a thread: nothing is copied, and nobody waits for another thread. */
export class LocalPort implements JobPort {
  #peer: LocalPort | undefined;
  #listener: (message: unknown) => void = () => {};

  /** Two ends: what is posted at one arrives at the other, after what runs now. */
  static pair(): [LocalPort, LocalPort] {
    const [one, other] = [new LocalPort(), new LocalPort()];
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  postMessage(message: unknown): void {
    const peer = this.#peer;
    queueMicrotask(() => {
      if (peer) peer.#listener(message);
    });
  }

  on(_event: "message", listener: (message: unknown) => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.#peer = undefined;
  }
}
