import { describe, expect, test } from "vitest";
import {
  assess,
  controlled,
  type HostView,
  type RolloutState,
  ticketOf,
} from "#dist/fleet/rollout/index.js";
import { begun, host, hosts, obeyed, settle, step, told, view } from "./support.ts";

const note = { by: "alice", at: 0, message: "" };
const waits = (state: RolloutState, all: readonly HostView[]) =>
  assess(state, view(all)).waitsFor?.reason;

describe("waves", () => {
  test("tell the hosts with the lowest tickets, so many as the wave has", () => {
    const all = hosts(250);
    let state = begun({ bakeMs: 60_000 });
    const byTicket = all
      .map(({ id }) => ({ id, ticket: ticketOf(state.id, id) }))
      .sort((a, b) => (a.ticket < b.ticket ? -1 : 1))
      .map(({ id }) => id);
    for (const count of [1, 3, 25, 250]) {
      state = settle(state, view(all));
      expect(told(state, all).sort()).toEqual(byTicket.slice(0, count).sort());
      state = settle(state, view(obeyed(state, all)));
      expect(state.phase).toBe("baking");
      state = step(state, view(obeyed(state, all)), 60_000);
    }
    expect(state.phase).toBe("completed");
    expect(told(state, [host("later")])).toEqual(["later"]);
  });

  test("begin with other hosts in another rollout", () => {
    const all = hosts(100);
    const first = ["a", "b", "c", "d"].map((id) => told(settle(begun({}, id), view(all)), all)[0]);
    expect(new Set(first).size).toBeGreaterThan(1);
  });

  test("wait until every host that was told is done, and is looked at for its time", () => {
    const all = hosts(2);
    let state = begun({ waves: [{ hosts: 1, bakeMs: 5000 }, { percent: 100 }] });
    state = settle(state, view(all));
    expect(waits(state, all)).toBe("applying");
    expect(step(state, view(all), 300_000).wave).toBe(0);
    const done = obeyed(state, all);
    state = settle(state, view(done));
    expect(waits(state, done)).toBe("baking");
    state = step(state, view(done), 4999);
    expect(state).toMatchObject({ wave: 0, bakedMs: 4999 });
    expect(step(state, view(done), 1)).toMatchObject({ wave: 1, bakedMs: 0 });
  });

  test("have no further host where others join, but for the last one", () => {
    const all = hosts(3);
    let state = settle(begun({ waves: [{ hosts: 1 }, { percent: 100 }], bakeMs: 0 }), view(all));
    const more = [...all, ...Array.from({ length: 200 }, (_, index) => host(`new-${index}`))];
    state = settle(state, view(more));
    expect(told(state, more)).toHaveLength(1);
    // Without bake time it goes on at once.
    state = settle(state, view(obeyed(state, more)));
    expect(told(state, more)).toHaveLength(203);
    const evenMore = [...obeyed(state, more), host("last")];
    state = settle(state, view(evenMore));
    expect(waits(state, evenMore)).toBe("applying");
    expect(told(state, evenMore)).toHaveLength(204);
    expect(settle(state, view(obeyed(state, evenMore))).phase).toBe("completed");
  });

  test("tell another host in the place of one that has left, and look at it for all the time", () => {
    const all = hosts(3);
    let state = settle(begun({ bakeMs: 1000 }), view(all));
    const [first] = told(state, all);
    state = step(settle(state, view(obeyed(state, all))), view(obeyed(state, all)), 900);
    expect(state.bakedMs).toBe(900);
    const left = all.filter(({ id }) => id !== first);
    state = settle(state, view(left));
    expect(told(state, left)).toHaveLength(1);
    expect(state).toMatchObject({ phase: "applying", bakedMs: 0 });
    // It has no place any more where it comes back.
    expect(told(state, all)).toHaveLength(1);
  });

  test("pass over hosts that cannot be reached, which follow when they are back", () => {
    const all = hosts(4).map((one, index) => ({ ...one, isReachable: index !== 2 }));
    let state = settle(begun({ waves: [{ percent: 100 }], bakeMs: 0 }), view(all));
    expect(told(state, all)).toHaveLength(3);
    state = settle(state, view(obeyed(state, all)));
    expect(state.phase).toBe("completed");
    expect(told(state, all)).toHaveLength(4);
  });

  test("change so many hosts at a time as the plan says", () => {
    const all = hosts(5);
    const plan = { waves: [{ percent: 100 }] as const, bakeMs: 0, maxInProgress: 2 };
    let state = settle(begun({ ...plan, waves: [...plan.waves] }), view(all));
    expect(told(state, all)).toHaveLength(2);
    const [first] = told(state, all);
    const some = all.map((one) => (one.id === first ? { ...one, applied: 5 } : one));
    state = settle(state, view(some));
    expect(told(state, some)).toHaveLength(3);
    state = settle(state, view(obeyed(state, some)));
    expect(told(state, some)).toHaveLength(5);
  });

  test("wait for hosts, where none matches or none can be reached", () => {
    const none = settle(begun(), view([]));
    expect(waits(none, [])).toBe("noHostMatches");
    const away = [host("a", { isReachable: false })];
    const state = step(settle(none, view(away)), view(away), 10_000_000);
    expect(waits(state, away)).toBe("noHostReachable");
    expect(state.hold).toBeUndefined();
    expect(told(settle(state, view([host("a")])), [host("a")])).toEqual(["a"]);
  });
});

describe("gates", () => {
  const failing = (id: string) =>
    host(id, { error: { generation: 5, message: "the map is full" } });

  /** One wave of all four hosts, which are told. */
  function toldAll(plan: Parameters<typeof begun>[0] = {}) {
    const all = hosts(4);
    return { all, state: settle(begun({ waves: [{ percent: 100 }], ...plan }), view(all)) };
  }

  test("pause where a host fails, and say which and why", () => {
    const { state, all } = toldAll();
    const now = obeyed(state, all).map(({ id, ...one }) =>
      id === "host-2" ? failing(id) : { id, ...one },
    );
    const held = step(state, view(now));
    expect(held.hold?.failure).toEqual({
      gate: "failures",
      message: "1 host could not apply generation 5, 0 may fail; host-2: the map is full",
      hosts: ["host-2"],
    });
    expect(waits(held, now)).toBe("paused");
    expect(step(held, view(now), 1_000_000)).toBe(held);
    // Resumed, it looks again.
    const resumed = controlled(held, "resume", note);
    expect(step(resumed, view(now)).hold).toBeDefined();
    expect(step(resumed, view(obeyed(resumed, all))).hold).toBeUndefined();
  });

  test("let so many hosts fail as the plan says, but not all of a wave", () => {
    const { state, all } = toldAll({ maxFailures: 4, progressMs: 60_000 });
    const now = all.map(({ id }) => failing(id));
    expect(waits(state, now)).toBe("noHostDone");
    const held = step(state, view(now), 60_000);
    expect(held.hold?.failure).toMatchObject({ gate: "progress", hosts: expect.any(Array) });
    const one = [...now.slice(1), host("host-0", { applied: 5 })];
    expect(waits(state, one)).toBe("baking");
  });

  test("do not look at a failure of another generation", () => {
    const { state, all } = toldAll();
    const old = obeyed(state, all).map((one) => ({
      ...one,
      error: { generation: 4, message: "long ago" },
    }));
    expect(settle(state, view(old)).phase).toBe("baking");
  });

  test("roll back where the plan says so, until every reachable host is back", () => {
    const { state, all } = toldAll({ onFailure: "rollBack" });
    const now = [failing("host-0"), ...obeyed(state, all).slice(1)];
    const back = step(state, view(now));
    expect(back).toMatchObject({ phase: "rollingBack", failure: { gate: "failures" } });
    expect(told(back, all)).toEqual([]);
    expect(waits(back, now)).toBe("rollingBack");
    const away = now.map((one, index) => ({ ...one, isReachable: index !== 3 }));
    const some = away.map((one, index) => (index < 2 ? host(one.id) : one));
    expect(step(back, view(some)).phase).toBe("rollingBack");
    const rest = some.map((one) => (one.isReachable ? host(one.id) : one));
    expect(step(back, view(rest)).phase).toBe("rolledBack");
  });

  test("wait for hosts that are out of reach, and fail after a while", () => {
    const { state, all } = toldAll({ progressMs: 60_000 });
    const now = obeyed(state, all).map((one, index) => ({ ...one, isReachable: index !== 1 }));
    expect(waits(state, now)).toBe("unreachable");
    const waited = step(step(state, view(now)), view(now), 59_999);
    expect(waited.hold).toBeUndefined();
    expect(step(waited, view(now), 1).hold?.failure).toMatchObject({
      gate: "unreachable",
      hosts: ["host-1"],
    });
    expect(waits({ ...state, plan: { ...state.plan, maxUnreachable: 1 } }, now)).toBe("baking");
  });

  test("fail where a wave makes no progress, and begin to count anew with each host", () => {
    const { state, all } = toldAll({ progressMs: 60_000 });
    let now = step(state, view(all), 59_000);
    const some = [host("host-0", { applied: 5 }), ...all.slice(1)];
    now = step(now, view(some), 59_000);
    expect(now).toMatchObject({ done: 1, waitedMs: 0 });
    now = step(now, view(some), 59_999);
    expect(now.hold).toBeUndefined();
    expect(step(now, view(some), 1).hold?.failure).toMatchObject({
      gate: "progress",
      hosts: ["host-1", "host-2", "host-3"].sort((a, b) =>
        ticketOf(state.id, a) < ticketOf(state.id, b) ? -1 : 1,
      ),
    });
  });

  test("fail where others change maps, if the plan has a bound", () => {
    const { state, all } = toldAll({ maxDrifted: 1 });
    const drifted = (count: number) =>
      obeyed(state, all).map((one, index) => ({ ...one, hasDrifted: index < count }));
    expect(step(state, view(drifted(1))).hold).toBeUndefined();
    expect(step(state, view(drifted(2))).hold?.failure?.gate).toBe("drift");
    const failing = { error: { generation: 5, message: "the map is gone" } };
    const alsoFailed = drifted(2).map((one, index) => ({ ...one, ...(index === 0 && failing) }));
    const tolerant = { ...state, plan: { ...state.plan, maxFailures: 1 } };
    expect(step(tolerant, view(alsoFailed)).hold?.failure?.gate).toBe("drift");
    const { state: unbounded } = toldAll();
    expect(step(unbounded, view(drifted(4))).hold).toBeUndefined();
  });

  test("fail where a counter is above or below its bounds, and wait where it is not known", () => {
    const counters = [
      { name: "drops", query: {}, of: "value" as const, above: 10 },
      { name: "packets", query: {}, of: "value" as const, below: 5 },
    ];
    const { state, all } = toldAll({ counters });
    const done = obeyed(state, all);
    const at = (values: Record<string, number>) => step(state, view(done, values));
    expect(at({ drops: 10, packets: 5 }).phase).toBe("baking");
    expect(at({ drops: 11, packets: 5 }).hold?.failure).toMatchObject({
      gate: "counter",
      message: "drops is 11, which is above 10",
    });
    expect(at({ drops: 0, packets: 4 }).hold?.failure?.gate).toBe("counter");
    expect(assess(state, view(done, { drops: 0 })).waitsFor).toEqual({
      reason: "counterUnknown",
      message: "not known for now: packets",
    });
    expect(at({ drops: 0 }).phase).toBe("applying");
    expect(step(step(state, view(done)), view(done), 600_000).hold?.failure?.gate).toBe("counter");
  });

  test("look at how a counter grows from when all were done, also where it begins anew", () => {
    const counters = [
      { name: "drops", query: {}, of: "increase" as const, above: 10 },
      { name: "packets", query: {}, of: "increase" as const, below: 5 },
    ];
    const { state, all } = toldAll({ counters, bakeMs: 1000 });
    const done = obeyed(state, all);
    const baking = step(state, view(done, { drops: 1000, packets: 1000 }));
    const at = (drops: number, packets: number, elapsedMs: number) =>
      step(baking, view(done, { drops, packets }), elapsedMs);
    expect(at(1010, 1000, 999).phase).toBe("baking");
    expect(at(1011, 1000, 999).hold?.failure?.message).toBe(
      "drops has grown by 11, which is above 10",
    );
    expect(at(11, 1000, 0).hold).toBeDefined();
    expect(at(3, 1000, 0).hold).toBeUndefined();
    expect(at(1000, 1004, 1000).hold?.failure?.message).toBe(
      "packets has grown by 4, which is below 5",
    );
    expect(at(1000, 1005, 1000).phase).toBe("completed");
  });
});

describe("controls", () => {
  test("pause: nobody further is told, and who was told goes on", () => {
    const all = hosts(5);
    const state = settle(begun({ waves: [{ hosts: 2 }, { percent: 100 }], bakeMs: 0 }), view(all));
    const paused = controlled(state, "pause", note);
    expect(step(paused, view(obeyed(paused, all)), 1_000_000)).toBe(paused);
    expect(told(paused, all)).toHaveLength(2);
    const resumed = controlled(paused, "resume", note);
    expect(told(settle(resumed, view(obeyed(resumed, all))), all)).toHaveLength(5);
  });

  test("abort: each host stays on what it was told, also one that was to go back", () => {
    const all = hosts(5);
    const state = settle(begun({ waves: [{ hosts: 2 }, { percent: 100 }] }), view(all));
    const aborted = controlled(state, "abort", note);
    expect(told(aborted, all)).toEqual(told(state, all));
    expect(step(aborted, view(all), 1_000_000)).toBe(aborted);
    const back = controlled(aborted, "rollBack", note);
    expect(told(back, all)).toEqual([]);
    expect(told(controlled(back, "abort", note), all)).toEqual([]);
  });

  test("rollBack: also of a rollout that is completed, and of one that is paused", () => {
    const all = hosts(3);
    const state = settle(begun({ waves: [{ percent: 100 }], bakeMs: 0 }), view(all));
    const completed = settle(state, view(obeyed(state, all)));
    expect(completed.phase).toBe("completed");
    const back = controlled(completed, "rollBack", note);
    expect(step(back, view(obeyed(completed, all))).phase).toBe("rollingBack");
    expect(step(back, view(obeyed(back, all))).phase).toBe("rolledBack");
    const paused = controlled(state, "pause", note);
    expect(controlled(paused, "rollBack", note)).toMatchObject({ phase: "rollingBack" });
    expect(controlled(paused, "rollBack", note).hold).toBeUndefined();
  });

  test("may be repeated, and are refused where they do not fit", () => {
    const state = begun();
    const having = (...all: ("pause" | "resume" | "abort" | "rollBack")[]) =>
      all.reduce((one, control) => controlled(one, control, note), state);
    for (const control of ["pause", "abort", "rollBack"] as const) {
      const once = having(control);
      expect(controlled(once, control, note)).toBe(once);
    }
    expect(having("resume")).toBe(state);
    for (const control of ["pause", "resume"] as const) {
      expect(() => having("abort", control)).toThrow(/was aborted: it cannot be/);
      expect(() => having("rollBack", control)).toThrow(/is being rolled back: it cannot be/);
    }
    expect(() => controlled({ ...state, phase: "completed" }, "abort", note)).toThrow(
      'the rollout of map set "routes" to generation 5 is completed: it cannot be aborted',
    );
    expect(() => controlled({ ...state, from: 0 }, "rollBack", note)).toThrow(
      /no generation before 5/,
    );
  });

  test("are told in the history, with who asked and why", () => {
    const paused = controlled(begun(), "pause", { by: "bob", at: 7, message: "look at this" });
    expect(paused.history.at(-1)).toEqual({
      what: "paused",
      at: 7,
      by: "bob",
      message: "look at this",
    });
  });
});
