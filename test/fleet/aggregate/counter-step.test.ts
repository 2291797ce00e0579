import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addSteps, type CounterSample, counterStep } from "#dist/fleet/aggregate/counter-step.js";

const SAMPLE: CounterSample = {
  bootId: "boot",
  mapId: 7,
  timeMs: 1_000_000,
  monotonicMs: 5000,
  sum: 100n,
};

describe("a step of a counter", () => {
  it("is what was counted, by the clock that nobody sets", () => {
    const after = { ...SAMPLE, timeMs: 0, monotonicMs: 7000, sum: 150n };
    expect(counterStep(SAMPLE, after)).toEqual({ kind: "grown", by: 50n, seconds: 2 });
  });

  it("is a reset where the map was made anew, with what the new one has", () => {
    const after = { ...SAMPLE, mapId: 8, monotonicMs: 6000, sum: 30n };
    expect(counterStep(SAMPLE, after)).toEqual({ kind: "reset", by: 30n, seconds: 1 });
    // Though it has more than the one before.
    expect(counterStep(SAMPLE, { ...after, sum: 300n })).toMatchObject({ kind: "reset", by: 300n });
  });

  it("is a reset where the host has booted, though the map has the same id", () => {
    const after = { ...SAMPLE, bootId: "next", timeMs: 1_010_000, monotonicMs: 10, sum: 30n };
    expect(counterStep(SAMPLE, after)).toEqual({ kind: "reset", by: 30n, seconds: 10 });
  });

  it("is none where the same map has less, which is told", () => {
    const after = { ...SAMPLE, monotonicMs: 6000, sum: 99n };
    expect(counterStep(SAMPLE, after)).toEqual({ kind: "fell", by: 0n, seconds: 1 });
  });

  it("has no time where the clock was set back between two boots, or did not go on", () => {
    const booted = { ...SAMPLE, bootId: "next", timeMs: 5, sum: 1n };
    expect(counterStep(SAMPLE, booted)).toEqual({ kind: "reset", by: 1n, seconds: undefined });
    expect(counterStep(SAMPLE, SAMPLE)).toEqual({ kind: "grown", by: 0n, seconds: undefined });
  });

  it("adds up to what was counted since the samples before, whatever is made anew", () => {
    const events = fc.array(
      fc.oneof(
        fc.record({ does: fc.constant("count" as const), by: fc.bigInt(0n, 2n ** 64n) }),
        fc.record({ does: fc.constant("sample" as const) }),
        fc.record({ does: fc.constant("remake" as const) }),
        fc.record({ does: fc.constant("boot" as const) }),
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(events, (list) => {
        let [now, sum, unsampled, seen, stepped] = [SAMPLE, 100n, 0n, 0n, 0n];
        let [mapId, boot, clock] = [7, 0, 5000];
        for (const event of list) {
          clock += 1000;
          if (event.does === "count") {
            sum += event.by;
            unsampled += event.by;
          } else if (event.does === "sample") {
            const after = { bootId: `b${boot}`, mapId, timeMs: clock, monotonicMs: clock, sum };
            const before = now === SAMPLE ? { ...SAMPLE, bootId: "b0" } : now;
            const step = counterStep(before, after);
            expect(step.by).toBeGreaterThanOrEqual(0n);
            stepped += step.by;
            seen += unsampled;
            unsampled = 0n;
            now = after;
          } else {
            // What was counted since the sample before is lost with the map.
            unsampled = 0n;
            sum = 0n;
            mapId++;
            if (event.does === "boot") boot++;
          }
        }
        expect(stepped).toBe(seen);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("steps of hosts", () => {
  it("add up the same in any order, with how many were no plain steps", () => {
    const steps = fc.array(
      fc.record({
        kind: fc.constantFrom("grown" as const, "reset" as const, "fell" as const),
        by: fc.bigInt(0n, 2n ** 70n),
        seconds: fc.option(fc.double({ min: 0.001, max: 1e5, noNaN: true }), { nil: undefined }),
      }),
      { maxLength: 20 },
    );
    const cases = steps.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(cases, ([list, shuffled]) => {
        const added = addSteps(list);
        expect(addSteps(shuffled)).toEqual(added);
        expect(added.by).toBe(list.reduce((sum, { by }) => sum + by, 0n));
        expect(added.hosts).toBe(list.length);
        expect(added.fell).toBe(list.filter(({ kind }) => kind === "fell").length);
      }),
    );
  });
});
