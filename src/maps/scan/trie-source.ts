import type { ElementSource, WalkOptions, WalkStats } from "./element-source.js";
import { compareTriePosition } from "./key-order.js";
import type { ScanTarget } from "./scan-target.js";
import { TrieRead } from "./trie-read.js";

interface Stretch {
  readonly count: number;
  readonly keys: Buffer;
  readonly values: Buffer;
}

/** A row of a read, by its number. */
interface Row {
  readonly read: TrieRead;
  readonly number: number;
}

const NOTHING: Stretch = { count: 0, keys: Buffer.alloc(0), values: Buffer.alloc(0) };

/**
 * A walk over an LPM_TRIE by BPF_MAP_LOOKUP_BATCH that reads every stretch twice.
 *
 * One read may miss elements that stand still: trie_get_next_key (kernel/bpf/lpm_trie.c,
 * seen on Linux 6.18) tells a left child by `parent->child[0] == node`, so where another
 * CPU replaces that node in between it takes it for a right one, and skips all that lies
 * under its sibling. Under heavy churn that was one step in some 200,000. A stretch
 * therefore counts only as far as both reads reach, and is what either of them saw.
 *
 * Where the key that the kernel stands on is deleted, it starts again at the first; the
 * order of the keys tells what was passed.
 */
export class TrieSource implements ElementSource {
  readonly stats: WalkStats = { restarts: 0, duplicatesDropped: 0 };
  readonly #target: ScanTarget;
  readonly #options: WalkOptions;
  readonly #reads: readonly [TrieRead, TrieRead];
  #cursor: Buffer | undefined;
  /** The furthest position that was passed. */
  #passed: Buffer | undefined;
  #stretch = NOTHING;
  #ended = false;

  constructor(target: ScanTarget, options: WalkOptions) {
    this.#target = target;
    this.#options = options;
    this.#reads = [new TrieRead(target, options.stretch), new TrieRead(target, options.stretch)];
  }

  get count(): number {
    return this.#stretch.count;
  }

  get keys(): Buffer {
    return this.#stretch.keys;
  }

  get values(): Buffer {
    return this.#stretch.values;
  }

  next(): boolean {
    this.#stretch = NOTHING;
    if (this.#ended) return false;
    for (const read of this.#reads) read.readAfter(this.#cursor);
    const shorter = this.#shorter();
    const reach = shorter.reach();
    this.#ended = reach === undefined;
    this.stats.duplicatesDropped += this.#countPassed(shorter);
    this.#stretch = this.#newUpTo(reach);
    if (!this.#ended) this.#cursor = Buffer.from(shorter.lastKey());
    if (reach && !this.#isPassed(reach, 0)) this.#passed = Buffer.from(reach);
    this.#noteRestart();
    return true;
  }

  release(): void {
    for (const read of this.#reads) read.release();
  }

  /** The read that reaches less far. */
  #shorter(): TrieRead {
    const [first, second] = this.#reads;
    const [a, b] = [first.reach(), second.reach()];
    if (!a || !b) return a ? first : second;
    return compareTriePosition(a, 0, b, 0) <= 0 ? first : second;
  }

  #isPassed(keys: Buffer, at: number): boolean {
    return this.#passed !== undefined && compareTriePosition(keys, at, this.#passed, 0) <= 0;
  }

  #countPassed({ keys, count }: TrieRead): number {
    const { keySize } = this.#target.layout;
    let passed = 0;
    for (let index = 0; index < count; index++) {
      if (this.#isPassed(keys, index * keySize)) passed++;
    }
    return passed;
  }

  #newUpTo(reach: Buffer | undefined): Stretch {
    const [first, second] = this.#reads;
    const isPlain =
      first.isLike(second) && !first.fellBack && first.count > 0 && !this.#isPassed(first.keys, 0);
    if (isPlain) return { count: first.count, keys: first.keys, values: first.values };
    return this.#join(this.#reads.flatMap((read) => this.#newRows(read, reach)));
  }

  #newRows(read: TrieRead, reach: Buffer | undefined): Row[] {
    const { keySize } = this.#target.layout;
    const rows: Row[] = [];
    for (let index = 0; index < read.count; index++) {
      const at = index * keySize;
      if (this.#isPassed(read.keys, at)) continue;
      if (reach && compareTriePosition(read.keys, at, reach, 0) > 0) continue;
      rows.push({ read, number: index });
    }
    return rows;
  }

  /** The rows in the order of the trie, each position once. */
  #join(rows: Row[]): Stretch {
    const { keySize, valueStride } = this.#target.layout;
    const compare = (a: Row, b: Row) =>
      compareTriePosition(a.read.keys, a.number * keySize, b.read.keys, b.number * keySize);
    const unique = rows
      .sort(compare)
      .filter((row, index) => index === 0 || compare(rows[index - 1] as Row, row) < 0);
    const keys = Buffer.allocUnsafe(unique.length * keySize);
    const values = Buffer.allocUnsafe(unique.length * valueStride);
    for (const [index, { read, number }] of unique.entries()) {
      const [keyAt, valueAt] = [number * keySize, number * valueStride];
      read.keys.copy(keys, index * keySize, keyAt, keyAt + keySize);
      read.values.copy(values, index * valueStride, valueAt, valueAt + valueStride);
    }
    return { count: unique.length, keys, values };
  }

  #noteRestart(): void {
    if (!this.#reads.some((read) => read.fellBack)) return;
    this.stats.restarts++;
    if (this.#ended || this.stats.restarts <= this.#options.maxRestarts) return;
    this.stats.incomplete = "restarts";
    this.#ended = true;
  }
}
