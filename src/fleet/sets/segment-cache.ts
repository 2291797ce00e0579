import { unlessAborted } from "../unless-aborted.js";
import type { SegmentSource } from "./segment-source.js";

/** Segments in memory, up to so many bytes; those not used for longest go first. */
export class SegmentCache {
  readonly #maxBytes: number;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Uint8Array>();
  readonly #underWay = new Map<string, Promise<Uint8Array>>();
  #bytes = 0;

  /** @param maxBytes bytes of segments at most; 0 keeps none */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps what goes by. Not for what a caller may change. */
  add(hash: string, bytes: Uint8Array): void {
    if (this.#kept.has(hash) || bytes.length > this.#maxBytes) return;
    this.#kept.set(hash, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#kept.delete(oldest);
      this.#bytes -= old.length;
    }
  }

  /** A source that asks another one for what is not here, once for all who want it. */
  before(source: SegmentSource): SegmentSource {
    return { get: (hash, signal) => this.#get(source, hash, signal) };
  }

  async #get(source: SegmentSource, hash: string, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const kept = this.#kept.get(hash);
    if (kept !== undefined) {
      this.#kept.delete(hash);
      this.#kept.set(hash, kept);
      return kept;
    }
    return unlessAborted(this.#underWay.get(hash) ?? this.#fetch(source, hash), signal);
  }

  /** Others may wait for it, too, so no one caller's signal ends it. */
  #fetch(source: SegmentSource, hash: string): Promise<Uint8Array> {
    const fetched = source.get(hash).then((bytes) => {
      this.add(hash, bytes);
      return bytes;
    });
    this.#underWay.set(hash, fetched);
    const forget = () => this.#underWay.delete(hash);
    fetched.then(forget, forget);
    return fetched;
  }
}
