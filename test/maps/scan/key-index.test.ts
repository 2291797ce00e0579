import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyIndex } from "#dist/maps/scan/key-index.js";
import { u32 } from "../support/elements.js";

/** Keys of one size with few different bytes, so that they come more than once. */
const keysOfOneSize = fc.integer({ min: 1, max: 9 }).chain((keySize) =>
  fc.record({
    keySize: fc.constant(keySize),
    keys: fc.array(
      fc.uint8Array({ minLength: keySize, maxLength: keySize, max: 3 }).map(Buffer.from),
      { maxLength: 300 },
    ),
  }),
);

describe("KeyIndex", () => {
  it("numbers keys in the order they came, each once, as a JavaScript Map would", () => {
    fc.assert(
      fc.property(keysOfOneSize, ({ keySize, keys }) => {
        const index = new KeyIndex(keySize);
        const model = new Map<string, number>();
        for (const key of keys) {
          const name = key.toString("hex");
          expect(index.find(key, 0)).toBe(model.get(name) ?? -1);
          if (!model.has(name)) model.set(name, model.size);
          expect(index.add(key, 0)).toBe(model.get(name));
          expect(index.size).toBe(model.size);
        }
        for (const [name, number] of model) {
          expect(index.find(Buffer.from(name, "hex"), 0)).toBe(number);
          const at = number * keySize;
          expect(index.keys.toString("hex", at, at + keySize)).toBe(name);
        }
      }),
    );
  });

  it("reads keys from any place of a column", () => {
    const index = new KeyIndex(3);
    const column = Buffer.from("aaabbbcccbbb");
    const numbers = [0, 3, 6, 9].map((at) => index.add(column, at));
    expect(numbers).toEqual([0, 1, 2, 1]);
    expect(index.find(Buffer.from("xccc"), 1)).toBe(2);
  });

  it("keeps all keys when it grows many times over", () => {
    const index = new KeyIndex(4);
    const count = 100_000;
    for (let number = 0; number < count; number++) index.add(u32(number * 64), 0);
    expect(index.size).toBe(count);
    for (let number = 0; number < count; number += 997) {
      expect(index.find(u32(number * 64), 0)).toBe(number);
    }
    expect(index.find(u32(1), 0)).toBe(-1);
  });

  it("tells its memory: the keys, and at most 16 bytes for each beside", () => {
    const index = new KeyIndex(16);
    const key = Buffer.alloc(16);
    for (let number = 0; number < 5000; number++) {
      key.writeUInt32LE(number, 7);
      index.add(key, 0);
    }
    expect(index.bytes).toBeGreaterThanOrEqual(5000 * (16 + 8));
    expect(index.bytes).toBeLessThanOrEqual(5000 * 2 * (16 + 16));
  });
});
