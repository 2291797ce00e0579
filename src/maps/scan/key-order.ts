import type { WalkProgress } from "./walk-progress.js";

/**
 * The order in which the kernel walks an LPM_TRIE: post-order, so that a prefix comes
 * after everything that it covers (kernel/bpf/lpm_trie.c, trie_get_next_key). Being
 * total, it tells what a walk has passed without remembering every key.
 *
 * Keys are `{u32 prefixlen; u8 data[]}`; bits past the prefix do not count.
 */
export function compareTriePosition(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
  const aLength = a.readUInt32LE(aAt);
  const bLength = b.readUInt32LE(bAt);
  const shared = Math.min(aLength, bLength);
  for (let bit = 0; bit < shared; bit += 8) {
    const at = 4 + (bit >> 3);
    const mask = shared - bit >= 8 ? 0xff : (0xff00 >> (shared - bit)) & 0xff;
    const difference = ((a[aAt + at] ?? 0) & mask) - ((b[bAt + at] ?? 0) & mask);
    if (difference !== 0) return difference;
  }
  return bLength - aLength;
}

/** The same prefix with the bits past its length zero: equal keys of a trie become equal bytes. */
export function clearHostBits(keys: Buffer, at: number, keySize: number): void {
  const length = keys.readUInt32LE(at);
  const whole = 4 + (length >> 3);
  for (let offset = whole; offset < keySize; offset++) {
    const kept = offset === whole ? (0xff00 >> (length & 7)) & 0xff : 0;
    keys[at + offset] = (keys[at + offset] ?? 0) & kept;
  }
}

/** Remembers how far a walk over a trie has come, and tells what it has passed already. */
export class TrieProgress implements WalkProgress {
  restarts = 0;
  readonly bytes = 0;
  readonly #keySize: number;
  readonly #furthest: Buffer;
  #started = false;
  #isRepeating = false;

  constructor(keySize: number) {
    this.#keySize = keySize;
    this.#furthest = Buffer.alloc(keySize);
  }

  advance(keys: Buffer, at: number): boolean {
    if (this.#started && compareTriePosition(keys, at, this.#furthest, 0) <= 0) {
      if (!this.#isRepeating) this.restarts++;
      this.#isRepeating = true;
      return false;
    }
    keys.copy(this.#furthest, 0, at, at + this.#keySize);
    this.#started = true;
    this.#isRepeating = false;
    return true;
  }
}
