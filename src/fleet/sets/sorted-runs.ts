import { ColumnBuilder } from "./column-builder.js";
import { type Changes, compareKeys, type ElementSizes, hexKey } from "./elements.js";
import { invalidField } from "./set-error.js";

/** Elements that are sorted at once. */
const STRETCH = 4096;

/** A run: chunks whose keys follow one another. */
interface Run {
  readonly chunks: Changes[];
}

/**
 * Takes elements in any order and gives them back in the order of their keys. Each chunk is
 * sorted as it comes, the rest is merged while it is read, so no step takes long. What comes in
 * order already is not sorted at all.
 */
export class SortedRuns {
  readonly #sizes: ElementSizes;
  readonly #field: string;
  readonly #runs: Run[] = [];
  #count = 0;

  /** @param field what an error calls the elements */
  constructor(sizes: ElementSizes, field = "elements") {
    this.#sizes = sizes;
    this.#field = field;
  }

  /** Elements taken. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of keys and values taken. */
  get bytes(): number {
    return this.#count * (this.#sizes.keySize + this.#sizes.valueSize);
  }

  /** Takes elements; their memory stays the caller's. */
  add(elements: Omit<Changes, "removed"> & Partial<Changes>): void {
    for (let from = 0; from < elements.count; from += STRETCH) {
      this.#addStretch(elements, from, Math.min(elements.count, from + STRETCH));
    }
  }

  /**
   * Everything in the order of its keys, as often as wanted. INVALID_ARGUMENT for a key that
   * came twice.
   */
  *read(): Generator<Changes> {
    const heap = new RunHeap(this.#runs, this.#sizes.keySize);
    const sorted = new ColumnBuilder(this.#sizes, STRETCH);
    for (let next = heap.next(); next; next = heap.next()) {
      if (next.isRepeated) throw this.#twice(next.chunk, next.index);
      sorted.addOne(next.chunk, next.index);
      if (sorted.count === STRETCH) yield sorted.take();
    }
    if (sorted.count > 0) yield sorted.take();
  }

  #addStretch(elements: Omit<Changes, "removed"> & Partial<Changes>, from: number, to: number) {
    const { keySize } = this.#sizes;
    const chunk = new ColumnBuilder(this.#sizes, to - from);
    if (isSorted(elements.keys, keySize, from, to)) {
      chunk.addRange(elements, from, to);
    } else {
      const order = Uint32Array.from({ length: to - from }, (_, index) => from + index);
      const { keys } = elements;
      order.sort((a, b) => compareKeys(keys, a * keySize, keys, b * keySize, keySize) || a - b);
      for (const index of order) chunk.addOne(elements, index);
    }
    this.#count += to - from;
    this.#append(chunk.take());
  }

  #append(chunk: Changes): void {
    const { keySize } = this.#sizes;
    const last = this.#runs.at(-1)?.chunks.at(-1);
    const follows =
      last !== undefined &&
      compareKeys(last.keys, (last.count - 1) * keySize, chunk.keys, 0, keySize) < 0;
    if (follows) this.#runs.at(-1)!.chunks.push(chunk);
    else this.#runs.push({ chunks: [chunk] });
  }

  #twice({ keys }: Changes, index: number) {
    const { keySize } = this.#sizes;
    return invalidField(
      this.#field,
      `key ${hexKey(keys, index * keySize, keySize)} is given twice: give each once`,
    );
  }
}

function isSorted(keys: Uint8Array, keySize: number, from: number, to: number): boolean {
  for (let index = from + 1; index < to; index++) {
    if (compareKeys(keys, (index - 1) * keySize, keys, index * keySize, keySize) >= 0) return false;
  }
  return true;
}

/** A place in a run. */
interface Cursor {
  readonly run: Run;
  chunk: Changes;
  chunkIndex: number;
  index: number;
}

/** Merges runs: a binary heap of their next elements. */
class RunHeap {
  readonly #keySize: number;
  readonly #heap: Cursor[];
  #last: { chunk: Changes; index: number } | undefined;

  constructor(runs: readonly Run[], keySize: number) {
    this.#keySize = keySize;
    this.#heap = runs.map((run) => ({ run, chunk: run.chunks[0]!, chunkIndex: 0, index: 0 }));
    for (let at = (this.#heap.length >>> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** The next element, and whether the one before had its key; undefined at the end. */
  next(): { chunk: Changes; index: number; isRepeated: boolean } | undefined {
    const top = this.#heap[0];
    if (top === undefined) return undefined;
    const { chunk, index } = top;
    const isRepeated =
      this.#last !== undefined && this.#compare(this.#last, { chunk, index }) === 0;
    this.#last = { chunk, index };
    this.#advance(top);
    return { chunk, index, isRepeated };
  }

  #advance(top: Cursor): void {
    if (++top.index === top.chunk.count) {
      const chunk = top.run.chunks[++top.chunkIndex];
      if (chunk === undefined) {
        const last = this.#heap.pop()!;
        if (this.#heap.length === 0) return;
        this.#heap[0] = last;
      } else {
        top.chunk = chunk;
        top.index = 0;
      }
    }
    this.#sink(0);
  }

  #sink(start: number): void {
    const heap = this.#heap;
    for (let at = start; ; ) {
      const left = 2 * at + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const least =
        right < heap.length && this.#compare(heap[right]!, heap[left]!) < 0 ? right : left;
      if (this.#compare(heap[at]!, heap[least]!) <= 0) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }

  #compare(
    a: { readonly chunk: Changes; readonly index: number },
    b: { readonly chunk: Changes; readonly index: number },
  ): number {
    const size = this.#keySize;
    return compareKeys(a.chunk.keys, a.index * size, b.chunk.keys, b.index * size, size);
  }
}
