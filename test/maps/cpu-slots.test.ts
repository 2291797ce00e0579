import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fillSlots, valueCopier, viewedValueSize } from "#dist/maps/cpu-slots.js";
import type { MapLayout } from "#dist/maps/map-layout.js";
import { MapType } from "#dist/maps/map-type.js";

/** A per-CPU layout on a host with these possible CPUs, which may be sparse. */
function perCpu(valueSize: number, cpus: readonly number[]): MapLayout {
  const slotSize = (valueSize + 7) & ~7;
  const valueStride = slotSize * cpus.length;
  const type = MapType.PERCPU_HASH;
  return { type, keySize: 4, valueSize, slotSize, valueStride, maxEntries: 10, cpus };
}

const someCpus = fc.uniqueArray(fc.nat(200), { minLength: 1, maxLength: 5 });

/** A layout, and a column of two values of it with random bytes. */
const columns = (word: number) =>
  fc
    .record({ words: fc.integer({ min: 1, max: 5 }), cpus: someCpus })
    .map(({ words, cpus }) => perCpu(words * word, cpus))
    .chain((layout) =>
      fc.record({
        layout: fc.constant(layout),
        column: fc
          .uint8Array({ minLength: layout.valueStride * 2, maxLength: layout.valueStride * 2 })
          .map(Buffer.from),
      }),
    );

/** Fold `name` of the second value of a column, word by word, with bigints. */
function folded(name: string, { layout, column }: { layout: MapLayout; column: Buffer }): Buffer {
  const word = name.endsWith("u64") ? 8 : 4;
  const read = (at: number) =>
    word === 8 ? column.readBigUInt64LE(at) : BigInt(column.readUInt32LE(at));
  const result = Buffer.alloc(layout.valueSize);
  for (let offset = 0; offset < layout.valueSize; offset += word) {
    const slots = layout.cpus.map((_, slot) =>
      read(layout.valueStride + slot * layout.slotSize + offset),
    );
    const total = name.startsWith("sum")
      ? BigInt.asUintN(
          word * 8,
          slots.reduce((a, b) => a + b),
        )
      : slots.reduce((a, b) => [a, b][Number(b > a)] as bigint);
    if (word === 8) result.writeBigUInt64LE(total, offset);
    else result.writeUInt32LE(Number(total), offset);
  }
  return result;
}

describe("a view of per-CPU values", () => {
  it.each(["sum_u32", "sum_u64", "max_u32", "max_u64"] as const)(
    "%s folds each word over all slots, and sums wrap around",
    (fold) => {
      fc.assert(
        fc.property(columns(fold.endsWith("u64") ? 8 : 4), ({ layout, column }) => {
          const target = Buffer.alloc(layout.valueSize + 2, 0xee);
          valueCopier(layout, { fold })(column, layout.valueStride, target, 1);
          const expected = folded(fold, { layout, column });
          expect(target).toEqual(
            Buffer.concat([Buffer.from([0xee]), expected, Buffer.from([0xee])]),
          );
        }),
      );
    },
  );

  it("carries from the low half of a u64 sum into the high one", () => {
    const layout = perCpu(8, [0, 1, 2]);
    const column = Buffer.alloc(24, 0xff);
    const target = Buffer.alloc(8);
    valueCopier(layout, { fold: "sum_u64" })(column, 0, target, 0);
    expect(target.readBigInt64LE()).toBe(-3n);
  });

  it("finds a CPU's slot by its place among the possible CPUs, not by its number", () => {
    const layout = perCpu(3, [1, 4, 9]);
    const column = Buffer.from("aaa.....bbb.....ccc.....");
    const target = Buffer.alloc(3);
    const seen = layout.cpus.map((cpu) => {
      valueCopier(layout, { cpu })(column, 0, target, 0);
      return target.toString();
    });
    expect(seen).toEqual(["aaa", "bbb", "ccc"]);
  });

  it("shows the whole stride, pad bytes included, where none is given", () => {
    const layout = perCpu(3, [0, 1]);
    const column = Buffer.from("________aaapppppbbbqqqqq");
    const target = Buffer.alloc(16);
    valueCopier(layout, undefined)(column, 8, target, 0);
    expect(target.toString()).toBe("aaapppppbbbqqqqq");
    expect(viewedValueSize(layout, undefined)).toBe(16);
    expect(viewedValueSize(layout, { cpu: 1 })).toBe(3);
  });
});

describe("fillSlots", () => {
  it("writes the value into every slot and zero into the pad bytes", () => {
    const layout = perCpu(3, [0, 2, 5]);
    const stride = Buffer.alloc(24, 0xee);
    fillSlots(layout, Buffer.from([1, 2, 3]), stride);
    expect([...stride]).toEqual([0, 1, 2].flatMap(() => [1, 2, 3, 0, 0, 0, 0, 0]));
  });
});
