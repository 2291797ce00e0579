import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addTotals, NO_NUMBERS, type Totals } from "#dist/fleet/aggregate/totals.js";

const lists = fc.array(
  fc.array(fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n), fc.bigInt(-3n, 3n)), {
    maxLength: 20,
  }),
  { maxLength: 12 },
);

/** What numbers come to, in the plainest way. */
function totalsOf(numbers: readonly bigint[]): Totals {
  if (numbers.length === 0) return { ...NO_NUMBERS, histogram: { negative: 0n, buckets: [] } };
  const sorted = [...numbers].sort((a, b) => (a === b ? 0 : a < b ? -1 : 1));
  const bits = numbers.filter((each) => each >= 0n).map((each) => bitLength(each));
  const buckets = Array.from({ length: Math.max(-1, ...bits) + 1 }, (_, bucket) =>
    BigInt(bits.filter((each) => each === bucket).length),
  );
  return {
    count: BigInt(numbers.length),
    sum: numbers.reduce((sum, each) => sum + each, 0n),
    min: sorted[0],
    max: sorted.at(-1),
    histogram: { negative: BigInt(numbers.length - bits.length), buckets },
  };
}

const bitLength = (number: bigint) => (number === 0n ? 0 : number.toString(2).length);
const sumOf = (totals: readonly Totals[]) => totals.reduce(addTotals, NO_NUMBERS);

describe("totals of hosts", () => {
  it("come to the totals of all their numbers, in any order and any grouping", () => {
    const cases = lists.chain((hosts) =>
      fc.record({
        hosts: fc.constant(hosts),
        shuffled: fc.shuffledSubarray(hosts, { minLength: hosts.length }),
        cut: fc.nat({ max: hosts.length }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ hosts, shuffled, cut }) => {
        const expected = hosts.length === 0 ? NO_NUMBERS : totalsOf(hosts.flat());
        expect(sumOf(hosts.map(totalsOf))).toEqual(expected);
        const groups = [shuffled.slice(0, cut), shuffled.slice(cut)];
        expect(sumOf(groups.map((group) => sumOf(group.map(totalsOf))))).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it("exceed 128 bits where they must", () => {
    const most = { ...totalsOf([2n ** 64n - 1n]), sum: 2n ** 127n };
    expect(sumOf([most, most, most]).sum).toBe(3n * 2n ** 127n);
  });
});
