/** From here on the call into TypedArray.prototype.set costs less than a loop. */
const LONG_BYTES = 192;

/** Copies records. Most are short: a loop over words beats making views of them. */
export class BytesCopier {
  #from: Uint8Array | undefined;
  #fromWords: Int32Array | undefined;
  #to: Uint8Array | undefined;
  #toWords: Int32Array = new Int32Array(0);

  /** Copies `length` bytes at `start` of `from` to `at` of `to`, which has memory of its own. */
  copy(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
    if (length > LONG_BYTES) {
      to.set(from.subarray(start, start + length), at);
      return;
    }
    this.#lookAt(from, to);
    const fromWords = this.#fromWords;
    let done = 0;
    if (fromWords && ((start | at) & 3) === 0) {
      const toWords = this.#toWords;
      const words = length >> 2;
      const fromWord = start >> 2;
      const toWord = at >> 2;
      for (let word = 0; word < words; word++) {
        toWords[toWord + word] = fromWords[fromWord + word] as number;
      }
      done = words << 2;
    }
    for (; done < length; done++) to[at + done] = from[start + done] as number;
  }

  #lookAt(from: Uint8Array, to: Uint8Array): void {
    if (from !== this.#from) {
      const isAligned = (from.byteOffset & 3) === 0;
      this.#from = from;
      this.#fromWords = isAligned
        ? new Int32Array(from.buffer, from.byteOffset, from.length >> 2)
        : undefined;
    }
    if (to === this.#to) return;
    this.#to = to;
    this.#toWords = new Int32Array(to.buffer, 0, to.buffer.byteLength >> 2);
  }
}
