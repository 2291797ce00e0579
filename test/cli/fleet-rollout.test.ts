import { beforeAll, describe, expect, it } from "vitest";
import { numbers } from "../fleet/sets-contract/fixture.ts";
import { startHost, startRelay, untilConnected } from "../fleet/support/fleet.js";
import { holdMap, putSet, specFor, untilApplied } from "../fleet/support/map-sets.ts";
import type { TestDaemon } from "../support/daemon.js";
import { ctl, mustCtl } from "./support/ctl.js";

let relay: TestDaemon;
let hosts: TestDaemon[];

/** Twelve elements, for maps of which host-b's has room for ten. */
const CHANGE = "key 100 0 0 0 value 1 0 0 0 key 101 0 0 0 value 1 0 0 0".split(" ");
const ALL = ["--wave", "100%", "--bake", "0"];

beforeAll(async () => {
  relay = await startRelay("relay-1");
  const ids = ["host-a", "host-b"];
  hosts = await Promise.all(ids.map((id) => startHost(id, [relay])));
  await untilConnected(relay, ...ids);
  for (const set of ["wide", "narrow"]) {
    for (const [index, host] of hosts.entries()) {
      await holdMap(host, set, { maxEntries: set === "narrow" && index === 1 ? 10 : 100 });
    }
    await putSet(relay, set, specFor(set), numbers(0, 10));
    await untilApplied(relay, set, 1n, 2);
  }
  return () => Promise.all([...hosts, relay].map((daemon) => daemon.dispose()));
});

const rollout = (...words: string[]) => ctl(relay, ["fleet", "rollout", ...words]);

describe("fleet rollout", () => {
  it("brings a change to hosts, and watches it until all have it", async () => {
    const started = await rollout("start", "wide", ...CHANGE, "--wave", "1", ...ALL);
    expect(started).toMatchObject({ code: 0 });
    expect(started.stdout).toMatch(/^wide {2}generation 1 -> 2 {2}wave 1 of 2 \(1 host\) {2}/);
    const { code, stdout } = await rollout("watch", "wide");
    expect(code).toBe(0);
    expect(stdout).toMatch(/generation 1 -> 2 {2}wave 2 of 2 \(100 %\) {2}completed\n/);
    expect(stdout).toMatch(/\[#{40}\] 2 done of 2\n/);
    const status = await mustCtl(relay, "fleet rollout status wide --hosts");
    expect(status).toMatch(/\nHOST +STATE +GENERATION\nhost-a +done +2\nhost-b +done +2/);
    expect(status).toMatch(/\n[-0-9]+ [:0-9]+ +completed/);
  });

  it("lists hosts that fail, with why, and takes all back", async () => {
    await rollout("start", "narrow", ...CHANGE, ...ALL);
    // It is paused, by its gate, and so it is watched until it is taken back.
    const watched = rollout("watch", "narrow");
    await expect
      .poll(async () => (await rollout("status", "narrow")).stdout, { timeout: 30_000 })
      .toMatch(/ {2}paused\n.* 1 done, 1 failed of 2\n/);
    const { stdout } = await rollout("status", "narrow");
    expect(stdout).toMatch(/\npaused since a gate failed: 1 host could not apply generation 2/);
    expect(stdout).toMatch(/\nHOST +STATE +GENERATION +ERROR\nhost-b +failed +1 +.*map set/);
    const back = await rollout("rollback", "narrow", "--message", "too narrow");
    expect(back.stdout).toMatch(/rollBack +\S.* +too narrow\n/);
    const { code, stdout: told } = await watched;
    expect(code).toBe(12);
    expect(told).toMatch(/rolled back\n/);
    const json = JSON.parse(
      (await ctl(relay, ["-j", ..."fleet rollout status narrow".split(" ")])).stdout,
    );
    expect(json).toMatchObject({
      phase: "ROLLOUT_PHASE_ROLLED_BACK",
      failure: { gate: "ROLLOUT_GATE_FAILURES", host_ids: ["host-b"] },
    });
  });

  it("is what fleet set patch does where it is asked to", async () => {
    const words = ["fleet", "set", "patch", "wide", "delete", ...CHANGE.slice(0, 5), ...ALL];
    expect(await ctl(relay, words)).toMatchObject({ code: 0 });
    const { code, stdout } = await rollout("watch", "wide");
    expect([code, stdout]).toEqual([0, expect.stringMatching(/generation 2 -> 3 {2}wave 1 of 1/)]);
  });

  it.each([
    [["start", "wide", "{"], 1, "expected load, delete or key, got: {"],
    [
      ["start", "wide", ...CHANGE, "--wave", "half"],
      1,
      "--wave half is none of 10, 10% and 10%:5m",
    ],
    [["start", "wide", ...CHANGE, "--wave", "1"], 4, "the last wave must have 100 percent"],
    [["stop", "wide"], 1, '"stop" is none of start, status, watch'],
    [["status"], 1, "the set's NAME is missing"],
    [["status", "nothing"], 2, 'map set "nothing" has no rollout'],
    [["pause", "wide"], 5, "is completed: it cannot be paused"],
  ])("refuses %j", async (line, exit, why) => {
    const { code, stderr } = await rollout(...line);
    expect([code, stderr]).toEqual([exit, expect.stringContaining(why)]);
  });
});
