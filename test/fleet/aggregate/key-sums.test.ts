import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HostKeys, KeySums, type TopSums } from "#dist/fleet/aggregate/key-sums.js";

/** A host's whole map: numbers by key. */
type Contents = ReadonlyMap<number, bigint>;

/** Few keys, so that hosts share them; many equal numbers, and some at the ends. */
const numbers = (signed: boolean) =>
  fc.oneof(
    fc.bigInt(signed ? -20n : 0n, 20n),
    fc.bigInt(signed ? -(2n ** 63n) : 0n, 2n ** 64n - 1n),
  );

const contents = (signed: boolean): fc.Arbitrary<Contents> =>
  fc
    .array(fc.tuple(fc.nat({ max: 40 }), numbers(signed)), { maxLength: 30 })
    .map((elements) => new Map(elements));

/** Hosts with how many keys each tells. */
const fleets = fc.boolean().chain((signed) =>
  fc.array(fc.record({ map: contents(signed), tells: fc.integer({ min: 1, max: 12 }) }), {
    maxLength: 12,
  }),
);

/** What a host with these contents tells, as AggregateElements does. */
function told({ map, tells }: { map: Contents; tells: number }): HostKeys {
  const ranked = [...map].sort(([a, x], [b, y]) => (x === y ? a - b : x > y ? -1 : 1));
  const others = ranked.slice(tells).map(([, number]) => number);
  return {
    keys: ranked
      .slice(0, tells)
      .map(([key, number]) => ({ key: Buffer.from([key]), json: String(key), number })),
    othersMax: others[0],
    othersMin: [...map.values()].reduce((a, b) => (a < b ? a : b), 0n),
  };
}

/** The true sums. */
function sumsOf(hosts: readonly { map: Contents }[]): Map<number, bigint> {
  const sums = new Map<number, bigint>();
  for (const { map } of hosts) {
    for (const [key, number] of map) sums.set(key, (sums.get(key) ?? 0n) + number);
  }
  return sums;
}

function folded(hosts: readonly HostKeys[], room?: number): KeySums {
  const sums = new KeySums(5, room);
  for (const host of hosts) sums.add(host);
  return sums;
}

/** Every sum lies within its bounds, and no key that is not told has more than the others may. */
function expectBounds(top: TopSums, sums: ReadonlyMap<number, bigint>): void {
  const shown = new Set<number>();
  for (const { key, atLeast, atMost } of top.keys) {
    const sum = sums.get(key[0]!) ?? 0n;
    expect(sum >= atLeast && sum <= atMost).toBe(true);
    shown.add(key[0]!);
  }
  for (const [key, sum] of sums) {
    if (!shown.has(key)) expect(top.othersMax !== undefined && sum <= top.othersMax).toBe(true);
  }
}

describe("sums by key over hosts", () => {
  it("are bounded, whatever the hosts have and however few keys they tell", () => {
    fc.assert(
      fc.property(fleets, fc.integer({ min: 1, max: 50 }), (hosts, limit) => {
        expectBounds(folded(hosts.map(told)).top(limit), sumsOf(hosts));
      }),
      { numRuns: 2000 },
    );
  });

  it("are bounded where there is no room for all keys", () => {
    fc.assert(
      fc.property(fleets, fc.integer({ min: 2, max: 20 }), (hosts, room) => {
        const sums = folded(hosts.map(told), room);
        expect(sums.size).toBeLessThanOrEqual(room);
        expectBounds(sums.top(50), sumsOf(hosts));
      }),
      { numRuns: 2000 },
    );
  });

  it("do not depend on the order or the grouping of the hosts", () => {
    const grouped = fleets.chain((hosts) =>
      fc.record({
        hosts: fc.constant(hosts),
        shuffled: fc.shuffledSubarray(hosts, { minLength: hosts.length }),
        cuts: fc.array(fc.nat({ max: hosts.length }), { maxLength: 4 }),
      }),
    );
    fc.assert(
      fc.property(grouped, ({ hosts, shuffled, cuts }) => {
        const ends = [...cuts, shuffled.length].sort((a, b) => a - b);
        const groups = ends.map((end, at) =>
          folded(shuffled.slice(ends[at - 1] ?? 0, end).map(told)),
        );
        const merged = new KeySums(5);
        for (const group of groups) merged.merge(group);
        expect(merged.top(50)).toEqual(folded(hosts.map(told)).top(50));
      }),
      { numRuns: 1000 },
    );
  });

  it("are exact, in the order of the sums, where hosts tell all their keys", () => {
    fc.assert(
      fc.property(fleets, fc.integer({ min: 1, max: 50 }), (hosts, limit) => {
        const all = hosts.map(({ map }) => ({ map, tells: 50 }));
        const { keys, othersMax } = folded(all.map(told)).top(limit);
        const ranked = [...sumsOf(hosts)].sort(([a, x], [b, y]) =>
          x === y ? a - b : x > y ? -1 : 1,
        );
        expect(keys.map(({ key, atLeast, atMost }) => [key[0], atLeast, atMost])).toEqual(
          ranked.slice(0, limit).map(([key, sum]) => [key, sum, sum]),
        );
        expect(othersMax).toBe(ranked[limit]?.[1]);
      }),
      { numRuns: 1000 },
    );
  });

  it("tell a key that is second everywhere and first in all, though each host tells one key", () => {
    // The worst case: no host has it among those that it tells.
    const hosts = Array.from({ length: 10 }, (_, host) => ({
      map: new Map([
        [host, 100n],
        [99, 99n],
      ]),
      tells: 1,
    }));
    const { keys, othersMax } = folded(hosts.map(told)).top(3);
    expect(keys[0]).toMatchObject({ atLeast: 100n, atMost: 100n + 9n * 99n });
    // That it has 990 is possible, and said to be.
    expect(othersMax).toBeGreaterThanOrEqual(990n);
  });
});
