import { expect, test } from "vitest";
import { completePlan, DEFAULT_PLAN, sizeOf, targetsOf } from "#dist/fleet/rollout/index.js";
import { begun } from "./support.ts";

test("a plan has what is usual where nothing is said", () => {
  expect(completePlan({})).toEqual(DEFAULT_PLAN);
  expect(completePlan({ maxFailures: 3, maxDrifted: undefined })).toEqual({
    ...DEFAULT_PLAN,
    maxFailures: 3,
  });
});

test.each([
  [{ waves: [] }, "waves"],
  [{ waves: [{ hosts: 1 }] }, "waves"],
  [{ waves: [{ percent: 50 }] }, "waves"],
  [{ waves: [{ hosts: 0 }, { percent: 100 }] }, "waves[0].hosts"],
  [{ waves: [{ hosts: 5 }, { hosts: 5 }, { percent: 100 }] }, "waves[1]"],
  [{ waves: [{ percent: 100 }, { percent: 100 }] }, "waves[1]"],
  [{ bakeMs: -1 }, "bakeMs"],
  [{ maxInProgress: 0 }, "maxInProgress"],
  [{ counters: [{ name: "a", query: {}, of: "value" as const }] }, "counters[0]"],
  [
    { counters: [{ name: "a", query: {}, of: "value" as const, above: 1, below: 2 }] },
    "counters[0]",
  ],
  [
    {
      counters: [
        { name: "a", query: {}, of: "value" as const, above: 1 },
        { name: "a", query: {}, of: "value" as const, above: 1 },
      ],
    },
    "counters[1].name",
  ],
])("a plan that breaks a rule is refused: %j", (plan, field) => {
  expect(() => completePlan(plan)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", field }),
  );
});

test("a wave of percent has a host more for a part of one", () => {
  expect(sizeOf({ percent: 1 }, 1)).toBe(1);
  expect(sizeOf({ percent: 1 }, 100)).toBe(1);
  expect(sizeOf({ percent: 1 }, 101)).toBe(2);
  expect(sizeOf({ percent: 7 }, 100)).toBe(7);
  expect(sizeOf({ percent: 0.1 }, 3000)).toBe(3);
  expect(sizeOf({ percent: 100 }, 10)).toBe(Number.POSITIVE_INFINITY);
  expect(sizeOf({ hosts: 3 }, 1)).toBe(3);
});

test("a rollout counts for the set that names it only, and nothing does before both are known", () => {
  const rollout = begun();
  expect(targetsOf({ generation: 5, rollout: rollout.id }, rollout)?.("a")).toBe(4);
  expect(targetsOf({ generation: 5, rollout: "" }, rollout)?.("a")).toBe(5);
  expect(targetsOf({ generation: 6, rollout: "another" }, rollout)).toBeUndefined();
  expect(targetsOf({ generation: 5, rollout: "another" }, undefined)).toBeUndefined();
});
