import { beforeAll, describe, expect, it } from "vitest";
import { startHost, startRelay, untilConnected } from "../fleet/support/fleet.js";
import { count, makeCounters } from "../fleet/support/fleet-maps.js";
import type { TestDaemon } from "../support/daemon.js";
import { ctl, mustCtl } from "./support/ctl.js";

let relay: TestDaemon;
let hosts: TestDaemon[];

beforeAll(async () => {
  relay = await startRelay("relay-1");
  hosts = await Promise.all(
    ["a", "b", "c"].map((id) => startHost(id, [relay], { args: ["--label", `zone=${id}`] })),
  );
  await untilConnected(relay, "a", "b", "c");
  // c has no such map.
  for (const host of hosts.slice(0, 2)) await makeCounters(host);
  await count(hosts[0]!, { 1: 10, 2: 2n ** 64n - 1n });
  await count(hosts[1]!, { 1: 5, 3: 7 });
  return () => Promise.all([...hosts, relay].map((daemon) => daemon.dispose()));
});

const words = (line: string) => line.split(" ");

describe("fleet sum", () => {
  it("prints sums over hosts, and which hosts these are", async () => {
    const { code, stdout, stderr } = await ctl(
      relay,
      words("fleet sum held counters --top 2 --per-host"),
    );
    const lines = stdout.split("\n");
    expect(lines.slice(0, 7)).toEqual([
      "FIELD  COUNT                         SUM  MIN                         MAX",
      "0/u64      4  18,446,744,073,709,551,637    5  18,446,744,073,709,551,615",
      "",
      "                     0/u64    OR  HOSTS  KEY",
      "18,446,744,073,709,551,615            1  02 00 00 00",
      "                        15            2  01 00 00 00",
      "                            <= 7         any other",
    ]);
    expect(lines.slice(7)).toEqual([
      "",
      expect.stringMatching(/^HOST +MAP +ELEMENTS +0\/u64$/),
      expect.stringMatching(/^a +\d+ +2 +18,446,744,073,709,551,625$/),
      expect.stringMatching(/^b +\d+ +2 +12$/),
      "",
    ]);
    expect(stderr).toMatch(
      /^3 hosts: 2 answered, 1 failed, since \S+Z\n {2}c: the daemon has no hold named "counters"\n$/,
    );
    expect(code).toBe(12);
  });

  it("tells all of it as JSON", async () => {
    const selected = "--label zone=a,b --field 0/u8 --top 1 --keys-per-host 1";
    const text = await mustCtl(relay, `-j fleet sum held counters ${selected}`);
    expect(JSON.parse(text)).toMatchObject({
      coverage: { matched: 2, answered: 2, failed: 0, unreachable: 0, failures: [] },
      elements: 4,
      totals: [{ field: "0/u8", count: 4, sum: 277, min: 5, max: 255 }],
      top: [{ key: ["0x02", "0x00", "0x00", "0x00"], at_least: 255, at_most: 260, hosts: 1 }],
      others_max: 17,
      steps: [],
      hosts: [],
    });
  });

  it("prints what was counted in between, answer after answer", async () => {
    const text = await mustCtl(
      relay,
      "fleet sum held counters --label zone=b --interval 100ms --iterations 2",
    );
    const [first, second] = text.split("\n\nFIELD");
    expect(first).not.toContain("RATE/s");
    expect(second + text).toMatch(/FIELD +COUNTED +RATE\/s +HOSTS\n0\/u64 +0 +0 +1\n/);
  });

  it("says where no host matches", async () => {
    const { code, stderr } = await ctl(relay, words("fleet sum held counters --label zone=x"));
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("matches none of the fleet's 3 hosts"),
    ]);
  });
});

describe("fleet watch", () => {
  it("prints contents with their hosts, and what hosts have none", async () => {
    const { code, stdout, stderr } = await ctl(relay, words("fleet watch held counters --count 4"));
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/ +\S+ +init +/, " "));
    expect(lines.sort()).toEqual([
      "a key 01 00 00 00  value 0a 00 00 00 00 00 00 00",
      "a key 02 00 00 00  value ff ff ff ff ff ff ff ff",
      "b key 01 00 00 00  value 05 00 00 00 00 00 00 00",
      "b key 03 00 00 00  value 07 00 00 00 00 00 00 00",
    ]);
    expect(stderr).toMatch(/^-- 3 hosts match\n/);
    expect(stderr).toMatch(/^-- a: the contents follow, whatever was printed before$/m);
  });

  it("prints JSON, a line each", async () => {
    const text = await mustCtl(relay, "-j fleet watch held counters --host b --count 2");
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { event: "started", hosts: 1 },
      { event: "begun", host: "b", resumed: false },
      { event: "created", host: "b" },
      { event: "put", host: "b", initial: true },
      { event: "put", host: "b", initial: true },
    ]);
  });
});
