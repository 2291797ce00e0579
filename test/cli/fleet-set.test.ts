import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryDirectory } from "../daemon/support/run.js";
import { startHost, startRelay, untilConnected } from "../fleet/support/fleet.js";
import type { TestDaemon } from "../support/daemon.js";
import { ctl, ctlComplete, mustCtl } from "./support/ctl.js";

let relay: TestDaemon;
let hosts: TestDaemon[];

beforeAll(async () => {
  relay = await startRelay("relay-1");
  hosts = await Promise.all(
    ["a", "b"].map((id) => startHost(id, [relay], { args: ["--label", `zone=${id}`] })),
  );
  await untilConnected(relay, "a", "b");
  for (const host of hosts) {
    await mustCtl(host, "map create --hold cli type hash key 4 value 4 entries 8 name cli");
  }
  return () => Promise.all([...hosts, relay].map((daemon) => daemon.dispose()));
});

/** A file with elements 1..count, as `map dump` prints them. */
function elementFile(count: number): string {
  const path = join(temporaryDirectory(), "elements.txt");
  const lines = Array.from({ length: count }, (_, index) => `key ${index + 1} 0 0 0 value 9 0 0 0`);
  writeFileSync(path, lines.join("\n"));
  return path;
}

const PUT = "held cli key 4 value 4";

describe("fleet set", () => {
  it("puts a file on all hosts, tells when it is there, and prints it as map dump does", async () => {
    const put = await mustCtl(relay, `fleet set put s1 ${PUT} ${elementFile(3)}`);
    expect(put).toBe("s1: generation 1, 3 elements\n");
    const status = await ctl(relay, "fleet set status s1 --wait 20s".split(" "));
    expect([status.code, status.stderr]).toEqual([0, "generation 1 on 2 of 2 hosts\n"]);
    expect(status.stdout.split("\n")[1]).toMatch(/^a +applied +1 +\d{4}-/);
    const dumped = await mustCtl(hosts[1]!, "map dump held cli");
    expect(dumped).toContain("Found 3 elements");
    expect(await mustCtl(relay, "fleet set get s1")).toContain("Found 3 elements");
    const set = JSON.parse(await mustCtl(relay, "-j fleet set get s1")) as { key: string[] }[];
    expect(set.map(({ key }) => key[0])).toEqual(["0x01", "0x02", "0x03"]);
  });

  it("patches elements by hand and from files, and tells what became of them", async () => {
    await mustCtl(relay, `fleet set put s2 ${PUT} ${elementFile(3)} --label zone=none`);
    const words = "key 7 0 0 0 value 1 1 1 1 delete key 1 0 0 0 delete key 99 0 0 0";
    const patched = await mustCtl(relay, `fleet set patch s2 ${words} --expect 1`);
    expect(patched).toBe(
      "s2: generation 2, 3 elements; added 1, changed 0, removed 1, unchanged 1\n",
    );
    const loaded = await mustCtl(relay, `-j fleet set patch s2 load ${elementFile(5)}`);
    expect(JSON.parse(loaded)).toMatchObject({
      ...{ generation: 3, elements: 6, new_generation: true },
      ...{ added: 3, changed: 0, removed: 0, unchanged: 2 },
    });
    const early = await mustCtl(relay, "-j fleet set get s2 --generation 1");
    expect(JSON.parse(early)).toHaveLength(3);
  });

  it("lists sets with their hosts and maps", async () => {
    await mustCtl(
      relay,
      `fleet set put s3 ${PUT} --label zone=a,b --ownership merge --drift report`,
    );
    const lines = (await mustCtl(relay, "fleet set list")).split("\n");
    expect(lines[0]).toMatch(
      /^SET +GENERATION +ELEMENTS +MAP +HOSTS +OWNERSHIP +DRIFT +MADE +WRITER$/,
    );
    expect(lines.find((line) => line.startsWith("s3 "))).toMatch(
      /^s3 +1 +0 +held cli +zone=a,b +merge +report /,
    );
    const listed = JSON.parse(await mustCtl(relay, "-j fleet set list")) as { name: string }[];
    expect(listed.find(({ name }) => name === "s3")).toMatchObject({
      ...{ key_size: 4, value_size: 4, ownership: "merge" },
      target: { map: { held: "cli" } },
    });
    await mustCtl(relay, "fleet set delete s3 --expect 1");
    expect(await mustCtl(relay, "fleet set list")).not.toContain("s3");
  });

  it("ends with 12 where a host is not right, and shows which, last", async () => {
    await mustCtl(relay, `fleet set put s4 held none key 4 value 4`);
    await expect
      .poll(async () => (await ctl(relay, "fleet set status s4".split(" "))).stdout, {
        timeout: 20_000,
      })
      .toMatch(/^a +failed +- .*HOLD_NOT_FOUND.*\nb +failed +- .*HOLD_NOT_FOUND/m);
    const { code, stderr } = await ctl(relay, "fleet set status s4 --wait 100ms".split(" "));
    expect([code, stderr]).toEqual([12, "generation 1 on 0 of 2 hosts, 2 failed\n"]);
    await mustCtl(relay, "fleet set delete s4");
  });

  it.each([
    ["fleet set put x id 7 key 4 value 4", 1, "an id is another map on every host"],
    ["fleet set put x held cli value 4", 1, "expected 'key SIZE', got: value"],
    ["fleet set put x held cli key 4 value 4 --ownership none", 1, "Allowed choices are"],
    ["fleet set patch s1 --all-hosts --host a", 1, "--all-hosts excludes"],
    ["fleet set patch s1 color red", 1, "expected load, delete or key, got: color"],
    ["fleet set get none", 2, 'there is no map set "none"'],
    ["fleet set delete s1 --expect 99", 5, 'map set "s1" is at generation'],
  ])("refuses '%s'", async (line, code, message) => {
    const refused = await ctl(relay, line.split(" "));
    expect(refused.stderr).toContain(message);
    expect(refused.code).toBe(code);
  });

  it("is completed", async () => {
    expect(await ctlComplete(relay, ["fleet", "set", "p"])).toEqual(["put", "patch"]);
    expect(await ctlComplete(relay, ["fleet", "set", "put", "--ownership", ""])).toContain("merge");
  });
});
