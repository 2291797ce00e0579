/**
 * Reads a whole number: as a number where that is exact, as a bigint otherwise. The two
 * compare with each other, and print alike.
 */
export type IntReader = (bytes: Buffer, at: number) => number | bigint;

const TWO_32 = 2 ** 32;
/** The high words of numbers that are exact. */
const SAFE_HIGH = 2 ** 21;

/**
 * The reader of `bits` bits that begin `bitOffset` bits after where it is told to read.
 * Bits are counted as little-endian compilers do, from the least significant of the
 * first byte.
 */
export function intReader(bitOffset: number, bits: number, signed: boolean): IntReader {
  const byte = Math.floor(bitOffset / 8);
  const shift = bitOffset % 8;
  if (shift === 0) {
    const whole = wholeReader(byte, bits, signed);
    if (whole) return whole;
  }
  return shift + bits <= 48
    ? shortReader(byte, shift, bits, signed)
    : longReader(byte, shift, bits, signed);
}

function wholeReader(byte: number, bits: number, signed: boolean): IntReader | undefined {
  switch (bits) {
    case 8:
      return signed
        ? (bytes, at) => bytes.readInt8(at + byte)
        : (bytes, at) => bytes[at + byte] as number;
    case 16:
      return signed
        ? (bytes, at) => bytes.readInt16LE(at + byte)
        : (bytes, at) => bytes.readUInt16LE(at + byte);
    case 32:
      return signed
        ? (bytes, at) => bytes.readInt32LE(at + byte)
        : (bytes, at) => bytes.readUInt32LE(at + byte);
    case 64:
      return signed ? signed64(byte) : unsigned64(byte);
    default:
      return undefined;
  }
}

function unsigned64(byte: number): IntReader {
  return (bytes, at) => {
    const high = bytes.readUInt32LE(at + byte + 4);
    if (high >= SAFE_HIGH) return bytes.readBigUInt64LE(at + byte);
    return high * TWO_32 + bytes.readUInt32LE(at + byte);
  };
}

function signed64(byte: number): IntReader {
  return (bytes, at) => {
    const high = bytes.readInt32LE(at + byte + 4);
    if (high >= SAFE_HIGH || high < -SAFE_HIGH) return bytes.readBigInt64LE(at + byte);
    return high * TWO_32 + bytes.readUInt32LE(at + byte);
  };
}

/** Of at most six bytes, whose numbers are exact. */
function shortReader(byte: number, shift: number, bits: number, signed: boolean): IntReader {
  const count = Math.ceil((shift + bits) / 8);
  const [divisor, modulus, half] = [2 ** shift, 2 ** bits, 2 ** (bits - 1)];
  return (bytes, at) => {
    const value = Math.floor(bytes.readUIntLE(at + byte, count) / divisor) % modulus;
    return signed && value >= half ? value - modulus : value;
  };
}

function longReader(byte: number, shift: number, bits: number, signed: boolean): IntReader {
  const count = Math.ceil((shift + bits) / 8);
  return (bytes, at) => {
    let all = 0n;
    for (let index = count - 1; index >= 0; index--) {
      all = (all << 8n) | BigInt(bytes[at + byte + index] as number);
    }
    const value = all >> BigInt(shift);
    return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  };
}
