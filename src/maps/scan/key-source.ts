import { ElementCalls, type Errno } from "../../kernel/index.js";
import { whileContended } from "../retry.js";
import type { ElementSource, WalkOptions, WalkStats } from "./element-source.js";
import { compareTriePosition, TrieProgress } from "./key-order.js";
import { explainFor, type ScanTarget } from "./scan-target.js";
import { SeenKeys } from "./seen-keys.js";
import type { WalkProgress } from "./walk-progress.js";

/** Elements of one stretch: about half a millisecond. */
const STRETCH = 256;

/**
 * A walk by BPF_MAP_GET_NEXT_KEY and lookups, for what this kernel cannot read in
 * batches. Where the key that the walk stands on is deleted the kernel starts again at
 * the first key, so what was seen already is remembered and dropped.
 */
export class KeySource implements ElementSource {
  readonly keys: Buffer;
  readonly values: Buffer;
  readonly stats: WalkStats = { restarts: 0, duplicatesDropped: 0 };
  readonly #target: ScanTarget;
  readonly #options: WalkOptions;
  readonly #calls: ElementCalls;
  /** Absent for arrays: indices only grow, and back to 0 leads only from past the end. */
  readonly #progress: WalkProgress | undefined;
  readonly #stretch: number;
  #count = 0;
  #started = false;
  #ended = false;

  constructor(target: ScanTarget, options: WalkOptions) {
    const { keySize, valueStride } = target.layout;
    this.#target = target;
    this.#options = options;
    this.#calls = new ElementCalls(target.fd, keySize, valueStride);
    this.#stretch = Math.max(1, Math.min(STRETCH, options.stretch));
    this.keys = Buffer.allocUnsafe(this.#stretch * keySize);
    this.values = Buffer.allocUnsafe(this.#stretch * valueStride);
    this.#progress = startProgress(target);
  }

  get count(): number {
    return this.#count;
  }

  next(): boolean {
    this.#count = 0;
    for (let step = 0; step < this.#stretch; step++) {
      if (this.#ended) return this.#count > 0;
      this.#step();
    }
    return true;
  }

  release(): void {
    this.#calls.release();
  }

  #step(): void {
    const calls = this.#calls;
    const errno = this.#target.keyKind === "prefix" ? this.#earlierNext() : this.#next();
    if (errno === "ENOENT") {
      this.#ended = true;
      return;
    }
    if (errno !== undefined) throw explainFor(this.#target, errno, "walk the keys");
    const progress = this.#progress;
    if (progress?.advance(calls.following, 0) ?? true) this.#read();
    else this.#passOver();
    if (progress) this.#note(progress);
  }

  #next(): Errno | undefined {
    const calls = this.#calls;
    return whileContended(() => (this.#started ? calls.nextKey() : calls.firstKey()));
  }

  /** Asks twice and takes the earlier answer, for the reason that {@link TrieSource} gives. */
  #earlierNext(): Errno | undefined {
    const { following } = this.#calls;
    const errno = this.#next();
    if (errno !== undefined && errno !== "ENOENT") return errno;
    const first = errno === undefined ? Buffer.from(following) : undefined;
    const again = this.#next();
    if (!first || (again !== undefined && again !== "ENOENT")) return again;
    if (again === undefined && compareTriePosition(following, 0, first, 0) <= 0) return undefined;
    first.copy(following);
    return undefined;
  }

  /** Reads the element of the following key and stands on it. */
  #read(): void {
    this.#stand();
    if (this.#target.unreadable) {
      this.#calls.value.fill(0);
      this.#take();
      return;
    }
    const errno: Errno | undefined = whileContended(() => this.#calls.lookup());
    // Deleted meanwhile, or an empty slot of an array of objects: nothing to tell.
    if (errno === "ENOENT") return;
    if (errno !== undefined) throw explainFor(this.#target, errno, "look up an element");
    this.#take();
  }

  #take(): void {
    const { keySize, valueStride } = this.#target.layout;
    this.#calls.key.copy(this.keys, this.#count * keySize);
    this.#calls.value.copy(this.values, this.#count * valueStride);
    this.#count++;
  }

  #stand(): void {
    this.#calls.following.copy(this.#calls.key);
    this.#started = true;
  }

  #passOver(): void {
    this.#stand();
    this.stats.duplicatesDropped++;
  }

  #note({ restarts, bytes }: WalkProgress): void {
    this.stats.restarts = restarts;
    if (restarts > this.#options.maxRestarts) this.#giveUp("restarts");
    if (bytes > this.#options.dedupMemoryBytes) this.#giveUp("dedup_memory");
  }

  #giveUp(why: "restarts" | "dedup_memory"): void {
    this.stats.incomplete = why;
    this.#ended = true;
  }
}

/** The cheapest way that the type allows to tell new keys from seen ones. */
function startProgress({ keyKind, layout }: ScanTarget): WalkProgress | undefined {
  if (keyKind === "index") return undefined;
  return keyKind === "prefix" ? new TrieProgress(layout.keySize) : new SeenKeys(layout.keySize);
}
