import { expect, test } from "vitest";
import type { Store } from "#dist/fleet/index.js";
import { completePlan, Rollouts } from "#dist/fleet/rollout/index.js";
import { KEPT_GENERATIONS, type MapSets } from "#dist/fleet/sets/index.js";
import type { StoreKind } from "../store-contract/fixture.ts";
import { elementsOf, numbers, openSets, patchOf, SPEC } from "./fixture.ts";

const rollout = completePlan({});
const RUNNING = { code: "ROLLOUT_RUNNING" };

const put = (sets: MapSets, count: number, options = {}) =>
  sets.put("s", SPEC, [elementsOf(numbers(0, count))], options);

/** Rolls back, as when all hosts are back. */
async function rollBack(store: Store): Promise<void> {
  const rollouts = new Rollouts(store);
  const going = await rollouts.control("s", { control: "rollBack", by: "alice" });
  await rollouts.write(going, { ...going.state, phase: "rolledBack" });
}

export function rolloutCases(kind: StoreKind): void {
  test("a generation names its rollout, which begins with it", async () => {
    const { store, sets } = await openSets(kind);
    const first = await put(sets, 1);
    expect(first.manifest.rollout).toBe("");
    const { manifest } = await put(sets, 2, { rollout, by: "alice" });
    const { state } = await new Rollouts(store).get("s");
    expect(state).toMatchObject({ id: manifest.rollout, setId: manifest.id, from: 1, to: 2 });
    expect(state.history).toMatchObject([{ what: "began", by: "alice" }]);
  });

  test("a put like what is there begins no rollout", async () => {
    const { store, sets } = await openSets(kind);
    await put(sets, 1);
    expect(await put(sets, 1, { rollout })).toMatchObject({ isNew: false });
    await expect(new Rollouts(store).get("s")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a set that is being rolled out is neither put, patched nor deleted", async () => {
    const { store, sets } = await openSets(kind);
    await put(sets, 1);
    await put(sets, 2, { rollout });
    await expect(put(sets, 3)).rejects.toMatchObject(RUNNING);
    await expect(put(sets, 3, { rollout })).rejects.toMatchObject(RUNNING);
    await expect(sets.patch("s", patchOf([[9, 9]], []))).rejects.toMatchObject(RUNNING);
    await expect(sets.delete("s")).rejects.toMatchObject(RUNNING);
    expect((await sets.get("s")).manifest.generation).toBe(2);
    await new Rollouts(store).control("s", { control: "abort", by: "alice" });
    await sets.delete("s");
    await expect(new Rollouts(store).get("s")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("what was rolled back is no ground for a patch, and may be put once more", async () => {
    const { store, sets } = await openSets(kind);
    await put(sets, 1);
    await put(sets, 2, { rollout });
    await rollBack(store);
    await expect(sets.patch("s", patchOf([[9, 9]], []))).rejects.toMatchObject(RUNNING);
    const again = await put(sets, 2, { rollout });
    expect(again).toMatchObject({ isNew: true, manifest: { generation: 3 } });
    expect((await new Rollouts(store).get("s")).state).toMatchObject({ from: 1, to: 3 });
  });

  test("the generation that hosts are on is kept, however many follow that are rolled back", async () => {
    const { store, sets } = await openSets(kind);
    await put(sets, 1);
    for (let count = 2; count < KEPT_GENERATIONS + 5; count++) {
      await put(sets, count, { rollout });
      await rollBack(store);
    }
    const past = await sets.get("s", { generation: 1 });
    expect(past.manifest.count).toBe(1);
    await expect(sets.get("s", { generation: 2 })).rejects.toMatchObject({ code: "NOT_FOUND" });
    // Once all hosts are to have another, it goes.
    await put(sets, 50);
    await expect(sets.get("s", { generation: 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
}
