/**
 * Bytes that are written field by field; they must be zero before. Where fields may
 * share bytes it notes which bits were written, so that two that disagree are found.
 */
export class ByteTarget {
  readonly bytes: Buffer;
  /** The bits that were written; undefined where no fields share bytes. */
  readonly #written: Buffer | undefined;

  constructor(bytes: Buffer, sharesBytes = false) {
    this.bytes = bytes;
    this.#written = sharesBytes ? Buffer.alloc(bytes.length) : undefined;
  }

  /** Whether fields that disagree are found. */
  get sharesBytes(): boolean {
    return this.#written !== undefined;
  }

  /**
   * Writes a number's lowest bits. Answers false where another field has written other
   * bits there.
   *
   * @param isVague the bits are only one way to write what is meant (true, NaN): those
   *   that another field says count
   */
  put(
    at: number,
    bitOffset: number,
    bits: number,
    value: number | bigint,
    isVague = false,
  ): boolean {
    const byte = at + Math.floor(bitOffset / 8);
    const shift = bitOffset % 8;
    if (!this.#written && shift === 0 && bits <= 32 && bits % 8 === 0) {
      const length = bits / 8;
      const unsigned = Number(value) < 0 ? Number(value) + 2 ** bits : Number(value);
      this.bytes.writeUIntLE(unsigned, byte, length);
      return true;
    }
    if (!this.#written && shift === 0 && bits === 64) {
      this.bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), byte);
      return true;
    }
    return this.#putBits(byte, shift, bits, BigInt(value), isVague);
  }

  /** Writes bytes as they are; the same answer as {@link put}. */
  putBytes(at: number, bytes: Uint8Array): boolean {
    if (!this.#written) {
      this.bytes.set(bytes, at);
      return true;
    }
    return bytes.every((byte, index) => this.#putByte(at + index, byte, 0xff, false));
  }

  #putBits(byte: number, shift: number, bits: number, value: bigint, isVague: boolean): boolean {
    let rest = BigInt.asUintN(bits, value) << BigInt(shift);
    let mask = ((1n << BigInt(bits)) - 1n) << BigInt(shift);
    for (let at = byte; mask > 0n; at++) {
      if (!this.#putByte(at, Number(rest & 0xffn), Number(mask & 0xffn), isVague)) return false;
      rest >>= 8n;
      mask >>= 8n;
    }
    return true;
  }

  #putByte(at: number, byte: number, mask: number, isVague: boolean): boolean {
    const before = this.bytes[at] as number;
    const written = this.#written?.[at] ?? 0;
    const free = isVague ? mask & ~written : mask;
    if (!isVague && (before ^ byte) & mask & written) return false;
    this.bytes[at] = (before & ~free) | (byte & free);
    if (this.#written && !isVague) this.#written[at] = written | mask;
    return true;
  }
}
