import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MapError } from "#dist/maps/map-error.js";
import type { MapLayout } from "#dist/maps/map-layout.js";
import { MapType } from "#dist/maps/map-type.js";
import { checkFilter, compileFilter, type ElementFilter } from "#dist/maps/scan/element-filter.js";
import { u32 } from "../support/elements.js";

const LAYOUT: MapLayout = {
  type: MapType.HASH,
  keySize: 4,
  valueSize: 3,
  slotSize: 3,
  valueStride: 3,
  maxEntries: 10,
  cpus: [],
};
const PER_CPU: MapLayout = { ...LAYOUT, slotSize: 8, valueStride: 16, cpus: [0, 1] };

/** Whether a filter chooses an element, asked in the middle of a column. */
function chooses(
  filter: ElementFilter,
  [key, value]: readonly [Uint8Array, Uint8Array],
  layout = LAYOUT,
  keyKind = "bytes",
): boolean {
  const keys = Buffer.concat([Buffer.alloc(key.length), key, Buffer.alloc(2)]);
  const values = Buffer.concat([Buffer.alloc(value.length), value]);
  const chooser = compileFilter(filter, layout, keyKind);
  return chooser?.(keys, key.length, values, value.length) ?? true;
}

const bytes = (length: number, max = 3) =>
  fc.uint8Array({ minLength: length, maxLength: length, max });

describe("a filter", () => {
  it("chooses keys by prefix", () => {
    fc.assert(
      fc.property(fc.uint8Array({ max: 3, maxLength: 4 }), bytes(4), (keyPrefix, key) => {
        const expected = Buffer.from(key)
          .toString("hex")
          .startsWith(Buffer.from(keyPrefix).toString("hex"));
        expect(chooses({ keyPrefix }, [key, Buffer.alloc(3)])).toBe(expected);
      }),
    );
  });

  it("chooses keys by range, byte by byte, the end left out", () => {
    fc.assert(
      fc.property(
        fc.option(bytes(4, 2), { nil: undefined }),
        fc.option(bytes(4, 2), { nil: undefined }),
        bytes(4, 2),
        (start, end, key) => {
          const expected =
            (!start || Buffer.compare(key, start) >= 0) && (!end || Buffer.compare(key, end) < 0);
          expect(chooses({ keyRange: { start, end } }, [key, Buffer.alloc(3)])).toBe(expected);
        },
      ),
    );
  });

  it("compares indices of arrays as numbers", () => {
    const keyRange = { start: u32(255), end: u32(257) };
    const chosen = [254, 255, 256, 257, 65536].filter((index) =>
      chooses({ keyRange }, [u32(index), Buffer.alloc(3)], LAYOUT, "index"),
    );
    expect(chosen).toEqual([255, 256]);
    expect(chooses({ keyRange }, [u32(256), Buffer.alloc(3)])).toBe(false);
  });

  it("chooses values by the bits of a mask, and ignores bytes past it", () => {
    fc.assert(
      fc.property(
        fc
          .uint8Array({ minLength: 1, maxLength: 3 })
          .chain((mask) => fc.tuple(fc.constant(mask), bytes(mask.length, 255))),
        bytes(3, 255),
        ([mask, match], value) => {
          const expected = mask.every(
            (bits, offset) => ((value[offset] ?? 0) & bits) === ((match[offset] ?? 0) & bits),
          );
          const filter = { valueMatch: { mask, match } };
          expect(chooses(filter, [Buffer.alloc(4), value])).toBe(expected);
        },
      ),
    );
  });

  it("chooses a per-CPU value where any slot matches, but not by pad bytes", () => {
    const valueMatch = { mask: Buffer.from([0xff]), match: Buffer.from([7]) };
    const key = Buffer.alloc(4);
    const value = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
    const of = (text: string) => chooses({ valueMatch }, [key, value(text)], PER_CPU);
    expect(of("0000000000000000 0700000000000000")).toBe(true);
    expect(of("0700000000000000 0000000000000000")).toBe(true);
    expect(of("0007070707070707 0007070707070707")).toBe(false);
  });

  it("wants all its parts to hold", () => {
    const filter: ElementFilter = {
      keyPrefix: Buffer.from([1]),
      keyRange: { end: Buffer.from([1, 0, 0, 9]) },
      valueMatch: { mask: Buffer.from([1]), match: Buffer.from([1]) },
    };
    const odd = Buffer.from([3, 0, 0]);
    expect(chooses(filter, [Buffer.from([1, 0, 0, 8]), odd])).toBe(true);
    expect(chooses(filter, [Buffer.from([0, 0, 0, 8]), odd])).toBe(false);
    expect(chooses(filter, [Buffer.from([1, 0, 0, 9]), odd])).toBe(false);
    expect(chooses(filter, [Buffer.from([1, 0, 0, 8]), Buffer.alloc(3)])).toBe(false);
  });

  it("chooses everything where it has no part, at no cost", () => {
    expect(compileFilter(undefined, LAYOUT, "bytes")).toBeUndefined();
    expect(compileFilter({}, LAYOUT, "bytes")).toBeUndefined();
    expect(compileFilter({ keyPrefix: Buffer.alloc(0) }, LAYOUT, "bytes")).toBeUndefined();
  });
});

describe("checkFilter", () => {
  it.each<[string, string, ElementFilter]>([
    ["filter.key_prefix", "KEY_SIZE_MISMATCH", { keyPrefix: Buffer.alloc(5) }],
    ["filter.key_range.start", "KEY_SIZE_MISMATCH", { keyRange: { start: Buffer.alloc(3) } }],
    ["filter.key_range.end", "KEY_SIZE_MISMATCH", { keyRange: { end: Buffer.alloc(5) } }],
    [
      "filter.value_match.mask",
      "VALUE_SIZE_MISMATCH",
      { valueMatch: { mask: Buffer.alloc(4), match: Buffer.alloc(4) } },
    ],
    [
      "filter.value_match.match",
      "VALUE_SIZE_MISMATCH",
      { valueMatch: { mask: Buffer.alloc(2), match: Buffer.alloc(1) } },
    ],
  ])("refuses a %s of the wrong size with %s", (field, reason, filter) => {
    const refused = (): MapError | undefined => {
      try {
        checkFilter(filter, LAYOUT);
      } catch (error) {
        return error as MapError;
      }
      return undefined;
    };
    expect(refused()).toMatchObject({ reason, violations: [{ field }] });
  });

  it("accepts parts of every fitting size", () => {
    checkFilter(undefined, LAYOUT);
    checkFilter({ keyPrefix: Buffer.alloc(4), keyRange: { end: Buffer.alloc(4) } }, LAYOUT);
    checkFilter({ valueMatch: { mask: Buffer.alloc(3), match: Buffer.alloc(3) } }, PER_CPU);
  });
});
