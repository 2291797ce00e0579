import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clearHostBits, compareTriePosition, TrieProgress } from "#dist/maps/scan/key-order.js";
import { prefix } from "../support/elements.js";
import { Hand, makeMap } from "../support/kernel-map.js";

/** Prefixes of one size; data of few bits apart, so that they nest and share parts. */
const tries = fc.integer({ min: 5, max: 20 }).chain((keySize) => {
  const bits = (keySize - 4) * 8;
  const data = fc.array(fc.constantFrom(0x00, 0x01, 0x40, 0x80, 0xc0, 0xff), {
    minLength: keySize - 4,
    maxLength: keySize - 4,
  });
  const length = fc.oneof(fc.integer({ min: 0, max: bits }), fc.constantFrom(0, bits));
  const key = fc.tuple(length, data).map(([some, bytes]) => prefix(some, bytes, keySize));
  return fc.record({
    keySize: fc.constant(keySize),
    keys: fc.array(key, { minLength: 1, maxLength: 60 }),
  });
});

/** The same trie position, as the bits that count. */
function canonical(key: Buffer): string {
  const bits = [...key.subarray(4)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.slice(0, key.readUInt32LE());
}

describe("compareTriePosition", () => {
  it("orders prefixes as the kernel walks them, nested ones and host bits included", () => {
    fc.assert(
      fc.property(tries, ({ keySize, keys }) => {
        const trie = makeMap("LPM_TRIE", { keySize, valueSize: 1 });
        const hand = new Hand(trie);
        for (const key of keys) hand.update(key, Buffer.from([1]));
        const walked = hand.keys();
        const sorted = [...walked].sort((a, b) => compareTriePosition(a, 0, b, 0));
        expect(walked.map(canonical)).toEqual(sorted.map(canonical));
        expect(new Set(walked.map(canonical))).toEqual(new Set(keys.map(canonical)));
      }),
      { numRuns: 150 },
    );
  });

  it("takes prefixes for equal where only bits past their length differ", () => {
    const a = prefix(12, [0x0a, 0x1f, 0xff, 0xff]);
    const b = prefix(12, [0x0a, 0x10, 0x00, 0x00]);
    expect(compareTriePosition(a, 0, b, 0)).toBe(0);
  });

  it("puts a prefix after everything that it covers, and /0 last", () => {
    const order = [
      prefix(32, [10, 0, 0, 1]),
      prefix(24, [10, 0, 0, 0]),
      prefix(8, [10, 0, 0, 0]),
      prefix(32, [11, 0, 0, 0]),
      prefix(0, [0, 0, 0, 0]),
    ];
    const shuffled = [4, 2, 0, 3, 1].map((index) => order[index] as Buffer);
    expect(shuffled.sort((a, b) => compareTriePosition(a, 0, b, 0))).toEqual(order);
  });

  it("compares keys wherever they stand in a column", () => {
    const column = Buffer.concat([prefix(8, [1]), prefix(8, [2]), prefix(16, [1, 1])]);
    expect(compareTriePosition(column, 0, column, 8)).toBeLessThan(0);
    expect(compareTriePosition(column, 16, column, 0)).toBeLessThan(0);
  });
});

describe("clearHostBits", () => {
  it("clears exactly the bits past the length, so that equal prefixes become equal bytes", () => {
    fc.assert(
      fc.property(tries, ({ keySize, keys }) => {
        const column = Buffer.concat(keys);
        for (const [index, key] of keys.entries()) {
          clearHostBits(column, index * keySize, keySize);
          const cleared = column.subarray(index * keySize, (index + 1) * keySize);
          expect(cleared.readUInt32LE()).toBe(key.readUInt32LE());
          expect(canonical(cleared)).toBe(canonical(key));
          const bits = [...cleared.subarray(4)].map((byte) => byte.toString(2).padStart(8, "0"));
          expect(bits.join("").slice(key.readUInt32LE())).toMatch(/^0*$/);
        }
      }),
    );
  });

  it("leaves the neighbours in a column alone", () => {
    const column = Buffer.concat([prefix(32, [1, 2, 3, 4]), prefix(0, [9, 9, 9, 9])]);
    clearHostBits(column, 8, 8);
    expect(column).toEqual(Buffer.concat([prefix(32, [1, 2, 3, 4]), prefix(0, [0])]));
  });
});

describe("TrieProgress", () => {
  it("passes each position once, and none that lies before the furthest", () => {
    const progress = new TrieProgress(8);
    const column = Buffer.concat([
      prefix(32, [10, 0, 0, 5]),
      prefix(32, [10, 0, 0, 1]),
      prefix(32, [10, 0, 0, 5]),
      prefix(24, [10, 0, 0, 0]),
    ]);
    expect([0, 8, 16, 24].map((at) => progress.advance(column, at))).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });
});
