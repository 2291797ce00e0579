import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holdFileName, parseHoldFileName } from "#dist/maps/hold-file.js";

const names = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/);
const leases = fc.option(fc.integer({ min: 1, max: 366 * 24 * 3600 * 1000 }), { nil: undefined });

describe("the file name of a hold", () => {
  it("tells its name and lease again, and bpffs allows it", () => {
    fc.assert(
      fc.property(names, leases, (name, leaseMs) => {
        const file = holdFileName({ name, leaseMs });
        expect(parseHoldFileName(file)).toEqual({ name, leaseMs });
        expect(file).not.toMatch(/[./]/);
        expect(Buffer.byteLength(file)).toBeLessThanOrEqual(255);
      }),
    );
  });

  it("has the lease in milliseconds behind an @", () => {
    expect(holdFileName({ name: "stats", leaseMs: 90_000 })).toBe("stats@90000");
    expect(holdFileName({ name: "stats" })).toBe("stats");
  });

  it.each([
    "",
    "-a",
    "_a",
    "a b",
    "a.b",
    "a@",
    "a@x",
    "a@1@2",
    "a@-1",
    "a@1.5",
    "ä",
    "a".repeat(64),
    `a@${"9".repeat(16)}`,
    "a\n",
  ])("is none of a hold's: %j", (file) => {
    expect(parseHoldFileName(file)).toBeUndefined();
  });
});
