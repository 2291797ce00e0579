/** Reads a number of 16, 32 or 64 bits. */
export function readFloat(bytes: Buffer, at: number, bits: number): number {
  switch (bits) {
    case 16:
      return fromHalf(bytes.readUInt16LE(at));
    case 32:
      return bytes.readFloatLE(at);
    default:
      return bytes.readDoubleLE(at);
  }
}

/** The number's bits; undefined where it is too large for them. */
export function floatBits(value: number, bits: number): bigint | undefined {
  const scratch = Buffer.alloc(8);
  if (bits === 16) {
    const half = toHalf(value);
    return half === undefined ? undefined : BigInt(half);
  }
  if (bits === 32) {
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) return undefined;
    scratch.writeFloatLE(value);
    return BigInt(scratch.readUInt32LE());
  }
  scratch.writeDoubleLE(value);
  return scratch.readBigUInt64LE();
}

/** As JSON: the shortest number that reads back as the same bits. */
export function floatText(value: number, bits: number): string {
  if (Number.isNaN(value)) return '"NaN"';
  if (!Number.isFinite(value)) return value > 0 ? '"Infinity"' : '"-Infinity"';
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  if (bits === 64) return String(value);
  // Nine digits tell all numbers of 32 bits apart.
  for (let digits = 3; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (floatBits(short, bits) === floatBits(value, bits)) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (fraction + 1024) * 2 ** (exponent - 25);
}

function toHalf(value: number): number | undefined {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude === Number.POSITIVE_INFINITY) return sign | 0x7c00;
  // The exponent of the numbers around it; the smallest ones share one.
  const exponent = magnitude === 0 ? -14 : Math.max(-14, Math.floor(Math.log2(magnitude)));
  const steps = roundToEven(magnitude / 2 ** (exponent - 10));
  const bits = (exponent + 14) * 1024 + steps;
  return bits < 0x7c00 ? sign | bits : undefined;
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
