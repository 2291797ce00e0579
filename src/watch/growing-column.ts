/** Bytes that are appended to one after the other. */
export class GrowingColumn {
  #buffer = Buffer.allocUnsafeSlow(0);
  #length = 0;

  /** Bytes that were appended. */
  get length(): number {
    return this.#length;
  }

  /** Copies what was appended to a place of another buffer. */
  copyTo(target: Buffer, at: number): void {
    this.#buffer.copy(target, at, 0, this.#length);
  }

  /** Appends a piece of another buffer. */
  append(source: Buffer, at: number, length: number): void {
    this.#reserve(length);
    source.copy(this.#buffer, this.#length, at, at + length);
    this.#length += length;
  }

  /** Appends one byte. */
  appendByte(byte: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = byte;
  }

  /** Appends zeros. */
  appendZeros(length: number): void {
    this.#reserve(length);
    this.#buffer.fill(0, this.#length, this.#length + length);
    this.#length += length;
  }

  /** What was appended, in memory of its own with little to spare. Nothing may be appended after. */
  take(): Buffer {
    const { length } = this.#buffer;
    if (length - this.#length > this.#length >> 2) {
      const exact = Buffer.allocUnsafeSlow(this.#length);
      this.#buffer.copy(exact);
      this.#buffer = exact;
    }
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2, 64));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
