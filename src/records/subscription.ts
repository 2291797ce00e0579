import { type LossReason, memoryOf, type RecordBatch, type RecordLoss } from "./record-batch.js";

/** What a subscriber gets, in order. */
export type RecordItem =
  | { readonly kind: "batch"; readonly batch: RecordBatch }
  | { readonly kind: "lost"; readonly loss: RecordLoss };

/** One subscriber: what it has not taken yet, bounded in bytes. */
export class Subscription {
  readonly #maxBytes: number;
  readonly #onClose: () => void;
  readonly #queue: (RecordBatch | LossTally)[] = [];
  #bytes = 0;
  #end: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  constructor(maxBytes: number, onClose: () => void) {
    this.#maxBytes = maxBytes;
    this.#onClose = onClose;
  }

  /** Bytes of memory that wait for the subscriber. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a batch, or counts its records as lost where they do not fit. A batch fits into
   * an empty queue whatever its size, so that a small queue starves nobody.
   */
  offer(batch: RecordBatch): void {
    const bytes = memoryOf(batch);
    if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) {
      this.lose({ reason: "slow_reader", count: batch.count });
      return;
    }
    this.#queue.push(batch);
    this.#bytes += bytes;
    this.#wake();
  }

  /** Notes that records are missing here. */
  lose(loss: RecordLoss): void {
    const last = this.#queue.at(-1);
    if (last instanceof LossTally) last.add(loss);
    else this.#queue.push(new LossTally(loss));
    this.#wake();
  }

  /** Ends it with an error, once what waits is taken; at once where `atOnce`. */
  fail(error: unknown, atOnce = false): void {
    if (atOnce) this.#drop();
    this.#end ??= { error };
    this.#wake();
  }

  /** The items, until the error that ends them; to be iterated once. */
  async *items(): AsyncGenerator<RecordItem, never> {
    for (;;) {
      const next = this.#queue.shift();
      if (next instanceof LossTally) {
        for (const loss of next.losses()) yield { kind: "lost", loss };
      } else if (next) {
        this.#bytes -= memoryOf(next);
        yield { kind: "batch", batch: next };
      } else if (this.#end) {
        throw this.#end.error;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Leaves the feed. */
  close(): void {
    this.#drop();
    this.#onClose();
  }

  #drop(): void {
    this.#queue.length = 0;
    this.#bytes = 0;
  }
}

/** All losses at one place, however many: one number for each reason and CPU. */
class LossTally {
  readonly #counts = new Map<string, RecordLoss>();

  constructor(first: RecordLoss) {
    this.add(first);
  }

  add({ reason, count, cpu }: RecordLoss): void {
    const key = keyOf(reason, cpu);
    const before = this.#counts.get(key)?.count ?? 0;
    this.#counts.set(key, { reason, count: before + count, cpu });
  }

  losses(): Iterable<RecordLoss> {
    return this.#counts.values();
  }
}

function keyOf(reason: LossReason, cpu: number | undefined): string {
  return `${reason} ${cpu ?? ""}`;
}
