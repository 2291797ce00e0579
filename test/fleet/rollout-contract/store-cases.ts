import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type Clock, put, type Store } from "#dist/fleet/index.js";
import {
  besideManifest,
  besideRemoval,
  completePlan,
  controlled,
  type FleetView,
  type RolloutChange,
  RolloutDriver,
  Rollouts,
  rolloutKeys,
  rolloutTargets,
  watchRollouts,
} from "#dist/fleet/rollout/index.js";
import type { FreshStore, StoreKind } from "../store-contract/fixture.ts";
import { begin, summary } from "./fixture.ts";

const log = pino({ level: "silent" });
const ids = { id: randomUUID(), by: "alice", at: 0 };

export function storeCases(kind: StoreKind): void {
  let fresh: FreshStore;
  let store: Store;
  let rollouts: Rollouts;
  beforeAll(async () => {
    fresh = await kind.fresh();
    store = await fresh.connect();
    rollouts = new Rollouts(store, { now: () => 1000 });
  });
  afterAll(() => fresh.dispose());

  const entryOf = async (set: string) => (await store.get(rolloutKeys.state(set))).entry;

  test("answer NOT_FOUND where a set has no rollout, or another one", async () => {
    const nothing = { code: "NOT_FOUND", message: 'map set "none" has no rollout' };
    await expect(rollouts.get("none")).rejects.toMatchObject(nothing);
    await begin(store, "other");
    const request = { control: "pause", rolloutId: "another", by: "bob" } as const;
    await expect(rollouts.control("other", request)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await rollouts.get("other")).state.hold).toBeUndefined();
  });

  test("do a control once, of many that come at once", async () => {
    await begin(store, "many");
    const asked = Array.from({ length: 8 }, (_, index) =>
      rollouts.control("many", { control: "pause", by: `caller-${index}` }),
    );
    const answers = await Promise.all(asked);
    const { state } = await rollouts.get("many");
    expect(new Set(answers.map((one) => one.state.hold?.by))).toEqual(new Set([state.hold?.by]));
    expect(state.history.filter(({ what }) => what === "paused")).toHaveLength(1);
  });

  test("refuse another generation while one is rolled out, and after one that was aborted", async () => {
    await begin(store, "busy", { onFailure: "rollBack" });
    const next = { set: "busy", setId: "set-1", before: 5, generation: 6 };
    const waved = { ...next, plan: completePlan({}) };
    const running = { code: "ROLLOUT_RUNNING" };
    const entry = await entryOf("busy");
    for (const one of [next, waved]) {
      expect(() => besideManifest(entry, one, ids)).toThrow(expect.objectContaining(running));
    }
    expect(() => besideRemoval("busy", entry)).toThrow(expect.objectContaining(running));

    const { state, modRevision } = await rollouts.get("busy");
    const told = { ...controlled(state, "abort", { by: "", at: 0, message: "" }) };
    await rollouts.write({ state, modRevision }, { ...told, admitted: "AAAAAAAA" });
    const aborted = await entryOf("busy");
    expect(() => besideManifest(aborted, waved, ids)).toThrow(/on generations 4 and 5/);
    const { compare, success } = besideManifest(aborted, next, ids);
    expect((await store.transact({ compare, success })).succeeded).toBe(true);
    await expect(rollouts.get("busy")).rejects.toMatchObject({ code: "NOT_FOUND" });
    // Who read before that is told.
    expect((await store.transact({ compare, success })).succeeded).toBe(false);
  });

  test("begin from where the hosts are, after one that was rolled back", async () => {
    await begin(store, "again");
    await rollouts.control("again", { control: "rollBack", by: "bob" });
    const before = await rollouts.get("again");
    const after = await rollouts.write(before, { ...before.state, phase: "rolledBack" });
    expect(after?.state.phase).toBe("rolledBack");
    await begin(store, "again", {}, 6);
    expect((await rollouts.get("again")).state).toMatchObject({ from: 4, to: 6 });
  });

  test("refuse an automatic rollback of a set's first generation", () => {
    const first = { set: "first", setId: "set-1", before: 0, generation: 1 };
    const plan = completePlan({ onFailure: "rollBack" });
    expect(() => besideManifest(undefined, { ...first, plan }, ids)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", field: "onFailure" }),
    );
  });

  test("pass over what cannot be read", async () => {
    const key = rolloutKeys.state("broken");
    await store.transact({ success: [put(key, Buffer.from('{"format":2}'))] });
    await begin(store, "whole");
    await expect(rollouts.get("broken")).rejects.toMatchObject({ code: "DAMAGED" });
    const sets = (await rollouts.list()).map(({ state }) => state.set);
    expect(sets).toContain("whole");
    expect(sets).not.toContain("broken");
  });

  test("are watched, with all of them first", async () => {
    await begin(store, "watched");
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const changes = watchRollouts(store, { signal: stop.signal });
    const next = async () => (await changes.next()).value as readonly RolloutChange[];
    const of = (all: readonly RolloutChange[]) => all.filter(({ set }) => set === "watched");
    expect(of(await next())).toMatchObject([{ type: "put", rollout: { state: { to: 5 } } }]);
    await rollouts.control("watched", { control: "abort", by: "bob" });
    expect(of(await next())).toMatchObject([{ rollout: { state: { phase: "aborted" } } }]);
    const beside = besideRemoval("watched", await entryOf("watched"));
    await store.transact(beside);
    expect(of(await next())).toEqual([{ type: "deleted", set: "watched" }]);
  });

  test("are driven by one relay at a time, and go on with another where it is gone", async () => {
    await begin(store, "driven", { waves: [{ hosts: 1 }, { percent: 100 }], bakeMs: 0 });
    const fleet = new ObedientFleet(["a", "b", "c"], rollouts);
    const first = new AbortController();
    const second = new AbortController();
    onTestFinished(() => second.abort());
    const run = (relayId: string, signal: AbortSignal) =>
      new RolloutDriver(store, fleet, { relayId, log, clock: hurried, tickMs: 100 }).run(signal);
    fleet.isStill = true;
    const firstRun = run("relay-1", first.signal);
    await expect.poll(() => seat(store), { timeout: 20_000 }).toBe("relay-1");
    const secondRun = run("relay-2", second.signal);
    await expect.poll(async () => (await rollouts.get("driven")).state.admitted).not.toBe("");
    first.abort();
    await firstRun;
    fleet.isStill = false;
    await expect.poll(() => seat(store), { timeout: 20_000 }).toBe("relay-2");
    await expect
      .poll(async () => summary(await rollouts.get("driven")), { timeout: 20_000 })
      .toEqual({ phase: "completed", wave: 1 });
    second.abort();
    await secondRun;
    expect(await seat(store)).toBeUndefined();
  });
}

async function seat(store: Store): Promise<string | undefined> {
  const { entry } = await store.get(rolloutKeys.driver());
  return entry && Buffer.from(entry.value).toString();
}

/** The system's clock, on which waits pass ten times as fast. */
const hurried: Clock = {
  now: () => performance.now() * 10,
  random: () => Math.random(),
  async sleep(ms, signal) {
    await sleep(ms / 10, undefined, { signal, ref: false });
  },
};

/** Hosts that have at once what they are told, unless they are still. */
class ObedientFleet {
  isStill = false;
  readonly #ids: readonly string[];
  readonly #rollouts: Rollouts;

  constructor(ids: readonly string[], rollouts: Rollouts) {
    this.#ids = ids;
    this.#rollouts = rollouts;
  }

  async observe({ set }: { set: string }): Promise<FleetView> {
    const { state } = await this.#rollouts.get(set);
    const targetOf = rolloutTargets(state);
    const hosts = this.#ids.map((id) => ({
      ...{ id, isReachable: true, hasDrifted: false },
      applied: this.isStill ? 4 : targetOf(id),
    }));
    return { hosts, counters: new Map() };
  }
}
