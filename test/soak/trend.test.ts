import { describe, expect, it } from "vitest";
import { growth } from "./support/trend.js";

describe("the growth of a series", () => {
  const line = Array.from({ length: 27 }, (_, index) => 100 + 2 * index);

  it("is that of a line, from the first to the last", () => {
    expect(growth(line)).toBe(52);
    expect(growth(line.map(() => 7))).toBe(0);
    expect(growth([...line].reverse())).toBe(-52);
  });

  it("is not changed by some that are far off", () => {
    expect(growth(line.map((value, index) => (index % 5 === 4 ? 1000 : value)))).toBeCloseTo(52, 0);
  });

  it("is none where values go up and down", () => {
    expect(growth(line.map((_, index) => (index % 2 ? 90 : 110)))).toBe(0);
  });
});
