import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "#dist/fleet/index.js";
import { SetAgent, type SetStatus } from "#dist/fleet/reconcile/index.js";
import { elementsOf, numbers, openSets, SPEC } from "../sets-contract/fixture.ts";
import { embedded } from "../support/embedded.ts";
import { MemoryDisk } from "./support/memory-state.ts";
import { SimulatedMap } from "./support/simulated-map.ts";

/** A host with one map of so many elements at most, and two generations of a set: 10 and 20 elements. */
async function startAgent(capacity = 100) {
  const { sets } = await openSets(embedded);
  const put = async (count: number) =>
    (await sets.put("s", SPEC, [elementsOf(numbers(0, count))])).manifest;
  const map = new SimulatedMap(capacity);
  const disk = new MemoryDisk();
  const statuses: SetStatus[] = [];
  const agent = new SetAgent({
    ...{ state: disk, shelf: disk, clock: systemClock, now: Date.now },
    fetch: (set, hash) => sets.segment(set, hash),
    open: () => map,
    onStatus: (status) => void statuses.push(status),
  });
  onTestFinished(() => agent.stop());
  const until = (facts: Partial<SetStatus>) =>
    expect.poll(() => statuses.at(-1), { timeout: 10_000 }).toMatchObject(facts);
  return { agent, map, statuses, until, first: await put(10), second: await put(20) };
}

test("a host goes back to an earlier generation that it is told later, and heeds none from before", async () => {
  const { agent, map, until, first, second } = await startAgent();
  await agent.want(second, 5n);
  await until({ applied: 2 });
  await agent.want(first, 7n);
  await until({ applied: 1, wanted: 1 });
  expect(map.elements.size).toBe(10);
  await agent.want(second, 6n);
  await agent.want(first, 7n);
  expect(agent.statuses[0]).toMatchObject({ applied: 1, wanted: 1 });
  expect(map.elements.size).toBe(10);
});

test("an error is told of the generation that it came with, not of the next one", async () => {
  const { agent, statuses, until, first, second } = await startAgent(15);
  await agent.want(second, 5n);
  await until({ wanted: 2, error: expect.stringContaining("20") });
  await agent.want(first, 7n);
  await until({ wanted: 1, applied: 1, error: "" });
  const ofFirst = statuses.filter(({ wanted }) => wanted === 1);
  expect(ofFirst.map(({ error }) => error).filter((error) => error !== "")).toEqual([]);
});
