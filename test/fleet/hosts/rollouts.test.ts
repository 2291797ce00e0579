import type { BpfmapError } from "@bpfmapd/client";
import {
  ControlRolloutRequest_Control as Control,
  type Elements,
  NumberType,
  type Rollout,
  RolloutGate,
  RolloutPhase,
  RolloutPlan_OnFailure,
  type RolloutPlanSchema,
  RolloutStanding,
  RolloutWait,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it } from "vitest";
import { bpftoolDump } from "../../maps/support/bpftool.js";
import type { TestDaemon } from "../../support/daemon.js";
import { elementsOf, numbers } from "../sets-contract/fixture.ts";
import { startHost, startRelay, untilConnected } from "../support/fleet.js";
import { holdMap, putSet, specFor, untilApplied } from "../support/map-sets.ts";

type Plan = MessageInitShape<typeof RolloutPlanSchema>;

const NAMES = ["a", "b", "c", "d"];
const ids = NAMES.map((name) => `host-${name}`);
/** A set's numbers are big-endian; this is 1 to a little-endian host. */
const ONE = 2 ** 24;
/** Nothing is waited for that a test does not need. */
const NO_BAKE = { seconds: 0n };
const ONE_THEN_ALL: Plan = {
  waves: [{ size: { case: "hosts", value: 1 } }, { size: { case: "percent", value: 100 } }],
  bakeTime: NO_BAKE,
};

let relay: TestDaemon;
let hosts: TestDaemon[];

beforeAll(async () => {
  relay = await startRelay("relay-1");
  hosts = await Promise.all(ids.map((id) => startHost(id, [relay], { args: VERIFY })));
  await untilConnected(relay, ...ids);
  return () => Promise.all([...hosts, relay].map((daemon) => daemon.dispose()));
});

const VERIFY = ["--fleet-verify-ms", "300"];

/** Elements of each host's map, and one of its values. */
const counts = (maps: readonly number[]) => maps.map((id) => bpftoolDump(id).size);

/** A set of ten elements on all hosts, whose maps take so many. */
async function firstGeneration(name: string, room: (index: number) => number) {
  const maps = await Promise.all(
    hosts.map((host, index) => holdMap(host, name, { maxEntries: room(index) })),
  );
  await putSet(relay, name, specFor(name), numbers(0, 10));
  await untilApplied(relay, name, 1n, hosts.length);
  return maps;
}

/** Puts so many elements, in waves. */
async function rollOut(name: string, count: number, plan: Plan) {
  async function* requests() {
    const start = { name, spec: specFor(name), rollout: plan };
    yield { kind: { case: "start" as const, value: start } };
    const value = elementsOf([...numbers(0, count, () => ONE)]) as Elements;
    yield { kind: { case: "elements" as const, value } };
  }
  return relay.client.fleet.putMapSet(requests());
}

/** Waits until a rollout is as it should be. */
async function untilRollout(name: string, isRight: (rollout: Rollout) => boolean) {
  let last: Rollout | undefined;
  const answers = relay.client.fleet.watchRollout({ name }, { deadlineMs: 40_000 });
  for await (const { rollout } of answers) {
    last = rollout;
    if (last && isRight(last)) return last;
  }
  throw new Error(`the rollout has ended otherwise: ${last?.phase} ${last?.failure?.message}`);
}

const control = (name: string, what: Control, message = "") =>
  relay.client.fleet.controlRollout({ name, control: what, message });

describe("a rollout", () => {
  it("brings a generation to one host, waits while it is paused, and then to all", async () => {
    const maps = await firstGeneration("waves", () => 100);
    await rollOut("waves", 20, { ...ONE_THEN_ALL, bakeTime: { seconds: 3600n } });
    const baking = await untilRollout("waves", ({ phase }) => phase === RolloutPhase.BAKING);
    expect(baking).toMatchObject({
      ...{ generation: 2n, fromGeneration: 1n, wave: 1, waveHosts: 1n },
      ...{ hosts: { matched: 4, done: 1, waiting: 3 }, waitsFor: RolloutWait.BAKING },
    });
    expect(counts(maps).sort()).toEqual([10, 10, 10, 20]);
    const { rollout: paused } = await control("waves", Control.PAUSE, "lunch");
    expect(paused).toMatchObject({ paused: true, waitsFor: RolloutWait.PAUSED });
    expect(paused?.history.at(-1)).toMatchObject({ what: "paused", message: "lunch" });
    await expect(putSet(relay, "waves", specFor("waves"), numbers(0, 30))).rejects.toMatchObject({
      reason: "ROLLOUT_RUNNING",
    });
    await control("waves", Control.ABORT);
    expect(counts(maps).sort()).toEqual([10, 10, 10, 20]);
    await control("waves", Control.ROLL_BACK);
    const back = await untilRollout("waves", ({ phase }) => phase === RolloutPhase.ROLLED_BACK);
    expect(back.hosts).toMatchObject({ matched: 4 });
    expect(counts(maps)).toEqual([10, 10, 10, 10]);

    await rollOut("waves", 20, ONE_THEN_ALL);
    const done = await untilRollout("waves", ({ phase }) => phase === RolloutPhase.COMPLETED);
    expect(done).toMatchObject({ generation: 3n, fromGeneration: 1n, wave: 2 });
    expect(counts(maps)).toEqual([20, 20, 20, 20]);
  });

  it("is rolled back by itself where a host fails, and names it", async () => {
    // The map of one host has no room for the second generation.
    const maps = await firstGeneration("unfit", (index) => (index === 2 ? 10 : 100));
    await rollOut("unfit", 20, { ...ONE_THEN_ALL, onFailure: RolloutPlan_OnFailure.ROLL_BACK });
    const back = await untilRollout("unfit", ({ phase }) => phase === RolloutPhase.ROLLED_BACK);
    expect(back.failure).toMatchObject({ gate: RolloutGate.FAILURES, hostIds: ["host-c"] });
    expect(counts(maps)).toEqual([10, 10, 10, 10]);
    // Nobody comes to have it later.
    await expect(control("unfit", Control.RESUME)).rejects.toMatchObject({
      reason: "ROLLOUT_NOT_POSSIBLE",
    });
    const patch = { name: "unfit", puts: elementsOf([[50, 1]]) as Elements };
    await expect(relay.client.fleet.patchMapSet(patch)).rejects.toMatchObject({
      reason: "ROLLOUT_RUNNING",
    });
    await putSet(relay, "unfit", specFor("unfit"), numbers(1, 11));
    await untilApplied(relay, "unfit", 3n, 4);
  });

  it("tells how each host is doing, and pauses where a gate fails", async () => {
    await firstGeneration("paused", (index) => (index === 1 ? 10 : 100));
    await rollOut("paused", 20, { ...ONE_THEN_ALL, waves: [ONE_THEN_ALL.waves![1]!] });
    await untilRollout("paused", ({ paused }) => paused);
    const answers = relay.client.fleet.watchRollout(
      { name: "paused", once: true, withHosts: true },
      { deadlineMs: 20_000 },
    );
    for await (const { hosts: told } of answers) {
      const standings = Object.fromEntries(told.map((one) => [one.hostId, one.standing]));
      expect(standings).toEqual({
        "host-a": RolloutStanding.DONE,
        "host-b": RolloutStanding.FAILED,
        "host-c": RolloutStanding.DONE,
        "host-d": RolloutStanding.DONE,
      });
      const failed = told.find(({ hostId }) => hostId === "host-b");
      expect(failed?.errorMessage).toMatch(/20/);
    }
    await control("paused", Control.ROLL_BACK);
    await untilRollout("paused", ({ phase }) => phase === RolloutPhase.ROLLED_BACK);
  });

  it("goes on where its relay was killed, and loses no control", async () => {
    const maps = await firstGeneration("killed", () => 100);
    await rollOut("killed", 20, { ...ONE_THEN_ALL, bakeTime: { seconds: 3600n } });
    await untilRollout("killed", ({ phase }) => phase === RolloutPhase.BAKING);
    const { rollout: paused } = await control("killed", Control.PAUSE);
    await relay.kill();
    await relay.restart();
    const still = await untilRollout("killed", ({ hosts }) => hosts?.done === 1);
    expect(still).toMatchObject({ id: paused?.id, paused: true, wave: 1 });
    expect(counts(maps).sort()).toEqual([10, 10, 10, 20]);
    await control("killed", Control.ROLL_BACK);
    await untilRollout("killed", ({ phase }) => phase === RolloutPhase.ROLLED_BACK);
    expect(counts(maps)).toEqual([10, 10, 10, 10]);
  });

  it("pauses where what hosts count is above a bound, and not where it is no more than that", async () => {
    await firstGeneration("counted", () => 100);
    const gate = {
      name: "sum of values",
      elements: {
        map: { ref: { case: "held" as const, value: "counted" } },
        fields: [{ field: { case: "raw" as const, value: { type: NumberType.U32 } } }],
      },
      above: 0,
    };
    // All values are 1, so the first host that is done is above it.
    await rollOut("counted", 20, { ...ONE_THEN_ALL, counters: [gate] });
    const paused = await untilRollout("counted", (rollout) => rollout.paused);
    expect(paused).toMatchObject({
      failure: { gate: RolloutGate.COUNTER, message: "sum of values is 20, which is above 0" },
      ...{ wave: 1, hosts: { done: 1, waiting: 3 } },
    });
    await control("counted", Control.ROLL_BACK);
    await untilRollout("counted", ({ phase }) => phase === RolloutPhase.ROLLED_BACK);
    await rollOut("counted", 20, { ...ONE_THEN_ALL, counters: [{ ...gate, above: 80 }] });
    await untilRollout("counted", ({ phase }) => phase === RolloutPhase.COMPLETED);
  });

  it("is refused with a plan that breaks a rule, and nothing is put", async () => {
    await firstGeneration("refused", () => 100);
    const plan: Plan = { waves: [{ size: { case: "hosts", value: 1 } }] };
    const error = await rollOut("refused", 20, plan).catch((thrown: BpfmapError) => thrown);
    expect(error).toMatchObject({ reason: "FIELD_INVALID" });
    await expect(control("refused", Control.PAUSE)).rejects.toMatchObject({
      reason: "ROLLOUT_NOT_FOUND",
    });
    const { mapSets } = await relay.client.fleet.listMapSets({});
    expect(mapSets.find(({ name }) => name === "refused")?.generation).toBe(1n);
  });
});
