import { beforeAll, describe, expect, it } from "vitest";
import { startHost, startRelay, untilConnected } from "../fleet/support/fleet.js";
import type { TestDaemon } from "../support/daemon.js";
import { ctl, mustCtl } from "./support/ctl.js";

let relay: TestDaemon;
let hosts: TestDaemon[];

beforeAll(async () => {
  relay = await startRelay("relay-1");
  hosts = await Promise.all(
    ["a", "b"].map((id) => startHost(id, [relay], { args: ["--label", `zone=${id}`] })),
  );
  await untilConnected(relay, "a", "b");
  await mustCtl(hosts[0]!, "map create --hold cli type hash key 4 value 4 entries 4 name cli");
  return () => Promise.all([...hosts, relay].map((daemon) => daemon.dispose()));
});

const words = (line: string) => line.split(" ");

describe("fleet hosts", () => {
  it("lists hosts, one a line", async () => {
    const lines = (await mustCtl(relay, "fleet hosts")).split("\n");
    expect(lines[0]).toMatch(/^HOST +STATE +RELAY +KERNEL +DAEMON +SINCE +LABELS$/);
    expect(lines[1]).toMatch(/^a +connected +relay-1 .* zone=a$/);
    expect(lines[2]).toMatch(/^b +connected +relay-1 .* zone=b$/);
  });

  it.each([
    ["--host a", ["a"]],
    ["--label zone=b", ["b"]],
    ["--label zone=b,c", ["b"]],
    ["--label zone!=b,c", ["a"]],
    ["--label zone", ["a", "b"]],
    ["--label !zone", []],
    ["--label zone --label zone=a", ["a"]],
  ])("chooses with %s", async (options, ids) => {
    const listed = await mustCtl(relay, `-j fleet hosts ${options}`);
    expect((JSON.parse(listed) as { id: string }[]).map(({ id }) => id)).toEqual(ids);
  });

  it("refuses a requirement that is none", async () => {
    const { code, stderr } = await ctl(relay, words("fleet hosts --label !zone=a"));
    expect([code, stderr]).toEqual([1, expect.stringContaining("--label !zone=a is none of")]);
  });
});

describe("fleet call", () => {
  const get = ["fleet", "call", "GetMap", '{"map": {"held": "cli"}}'];

  it("tells each host's answer, failures last, and how many there were", async () => {
    const { code, stdout, stderr } = await ctl(relay, get);
    expect(code).toBe(12);
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^HOST +RESULT +TOOK +ANSWER$/);
    expect(lines[1]).toMatch(/^a +ok +\d+ ms +\{"map":\{"id":\d+,"type":/);
    expect(lines[2]).toMatch(/^b +failed +\d+ ms +HOLD_NOT_FOUND: /);
    expect(stderr).toBe("2 hosts: 1 ok, 1 failed\n");
  });

  it("ends with 0 where all have answered, and tells programs everything", async () => {
    const { code, stdout } = await ctl(relay, ["-j", ...get, "--host", "a"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      results: [{ host: "a", outcome: "ok", response: { map: { name: "cli" } } }],
      summary: { matched: 1, ok: 1, failed: 0, unreachable: 0, skipped: 0 },
    });
  });

  it("prints answers that are streams as they come", async () => {
    const dump = ["fleet", "call", "dumpmap", '{"map": {"held": "cli"}}', "--host", "a"];
    const { stdout } = await ctl(relay, dump);
    expect(stdout).toMatch(/^a: \{"header":/);
    expect(stdout).toMatch(/\na: \{"summary":/);
  });

  it("says so where no host matches", async () => {
    const { code, stderr } = await ctl(relay, [...get, "--label", "zone=z"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("matches none of the fleet's 2")]);
  });

  it.each([
    [["fleet", "call", "Pipeline"], '"Pipeline" is no RPC'],
    [["fleet", "call", "GetMap", "{"], "the request is no GetMapRequest"],
    [["fleet", "call", "GetMap", '{"nothing": 1}'], "the request is no GetMapRequest"],
    [["fleet", "call"], "an RPC, such as GetMap is missing"],
  ])("refuses %s", async (line, why) => {
    const { code, stderr } = await ctl(relay, line);
    expect([code, stderr]).toEqual([1, expect.stringContaining(why)]);
  });
});
