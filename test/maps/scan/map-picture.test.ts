import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { layoutOf, type MapLayout } from "#dist/maps/map-layout.js";
import { MapType } from "#dist/maps/map-type.js";
import { Known, MapPicture } from "#dist/maps/scan/map-picture.js";
import { prefix, u32 } from "../support/elements.js";

const hash: MapLayout = {
  type: MapType.HASH,
  keySize: 4,
  valueSize: 5,
  slotSize: 5,
  valueStride: 5,
  maxEntries: 1000,
  cpus: [],
};

describe("MapPicture", () => {
  it("keeps the last value of each key and all that was learnt of it", () => {
    const steps = fc.array(
      fc.record({ key: fc.nat(300), byte: fc.nat(255), what: fc.constantFrom(1, 2, 4, 8) }),
      { maxLength: 600 },
    );
    fc.assert(
      fc.property(steps, (learnt) => {
        const picture = new MapPicture(hash, "bytes");
        const model = new Map<number, { byte: number; known: number }>();
        for (const { key, byte, what } of learnt) {
          const value = Buffer.alloc(7, byte);
          const number = picture.add(u32(key), 0);
          picture.setValue(number, value, 2);
          picture.learn(number, what);
          model.set(key, { byte, known: (model.get(key)?.known ?? 0) | what });
        }
        expect(picture.size).toBe(model.size);
        for (const [key, { byte, known }] of model) {
          const number = picture.find(u32(key), 0);
          expect(picture.known(number)).toBe(known);
          expect(picture.hasValue(number, Buffer.alloc(5, byte), 0)).toBe(true);
          expect(picture.hasValue(number, Buffer.alloc(5, byte ^ 1), 0)).toBe(false);
          expect(picture.isZero(number)).toBe(byte === 0);
        }
        const wanted = [...model.values()].filter(({ known }) => known & 2 && !(known & 1));
        expect(picture.count(Known.WANTED, Known.ORIGINAL)).toBe(wanted.length);
        expect(picture.find(u32(301), 0)).toBe(-1);
      }),
    );
  });

  it("takes a trie's prefixes for equal whatever bits lie past their length", () => {
    const picture = new MapPicture({ ...hash, keySize: 8 }, "prefix");
    const number = picture.add(prefix(12, [10, 0x1f, 1, 2]), 0);
    expect(picture.find(prefix(12, [10, 0x10, 9, 9]), 0)).toBe(number);
    expect(picture.find(prefix(13, [10, 0x10, 9, 9]), 0)).toBe(-1);
    expect(picture.keys.subarray(0, 8)).toEqual(prefix(12, [10, 0x10]));
  });

  it("takes no more memory than elements of this size need", () => {
    const info = { type: MapType.ARRAY, keySize: 4, maxEntries: 1, valueSize: 128 << 20 };
    const layout = layoutOf(info as Parameters<typeof layoutOf>[0], [0]);
    expect(new MapPicture(layout, "index").bytes).toBeLessThan(130 << 20);
    expect(new MapPicture(hash, "bytes").bytes).toBeLessThan(64 << 10);
  });
});
