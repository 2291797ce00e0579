import { expect, it } from "vitest";
import { SegmentCache } from "#dist/fleet/sets/index.js";
import { gatherWarnings } from "../support/warnings.ts";

it("waits for many segments with one signal, without a warning of the runtime", async () => {
  const warnings = gatherWarnings();
  const source = new SegmentCache(0).before({ get: async () => new Uint8Array(1) });
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 50 }, (_, index) => source.get(String(index), signal)));
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
});
