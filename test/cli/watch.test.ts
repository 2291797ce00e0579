import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { beforeAll, describe, expect, it } from "vitest";
import { parseField } from "#dist/cli/top/counter-field.js";
import { RateTable } from "#dist/cli/top/rate-table.js";
import { u32, u64 } from "../service/support/elements.js";
import { makeMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { ctl, ctlCommand, mustCtl } from "./support/ctl.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

const TIME = /^\d\d:\d\d:\d\d\.\d{3} {2}/;

function lines(text: string): string[] {
  return text.trimEnd().split("\n");
}

describe("map watch", () => {
  it("prints the contents as init lines, and stops after --count changes", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.update(u32(1), u64(258));
    const text = await mustCtl(daemon, `map watch id ${map.id} --count 1`);
    expect(text).toMatch(TIME);
    expect(text.replace(TIME, "")).toBe("init    key 01 00 00 00  value 02 01 00 00 00 00 00 00\n");
  });

  it("prints puts and deletes as they come, with the value before", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.update(u32(1), u64(1));
    const watching = mustCtl(daemon, `map watch id ${map.id} --previous --interval 20ms --count 4`);
    // Each change waits till the one before is told: at least one scan lies between.
    const watch = map.handle.watch({ pollIntervalMs: 20, bookmarkIntervalMs: 100 });
    const scans = watch[Symbol.asyncIterator]();
    const scan = async () => {
      while ((await scans.next()).value?.type !== "bookmark");
      while ((await scans.next()).value?.type !== "bookmark");
    };
    await scan();
    await scan();
    await map.handle.load([[u32(1), u64(2)]]);
    await scan();
    await map.handle.load([[u32(2), u64(3)]]);
    await scan();
    await map.handle.clear();
    await scans.return?.();
    const told = lines(await watching).map((line) => line.replace(TIME, ""));
    expect(told.slice(0, 3)).toEqual([
      "init    key 01 00 00 00  value 01 00 00 00 00 00 00 00",
      "put     key 01 00 00 00  value 02 00 00 00 00 00 00 00  was 01 00 00 00 00 00 00 00",
      "put     key 02 00 00 00  value 03 00 00 00 00 00 00 00",
    ]);
    expect(told[3]).toMatch(/^delete {2}key 0[12] 00 00 00 {2}was 0[23] /);
  });

  it("prints one JSON object a line with -j", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.update(u32(1), u64(1));
    const text = await mustCtl(daemon, `-j map watch id ${map.id} --count 1`);
    const [created, put] = lines(text).map((line) => JSON.parse(line));
    expect(created).toMatchObject({ event: "created", map_id: map.id });
    expect(put).toMatchObject({
      event: "put",
      initial: true,
      key: ["0x01", "0x00", "0x00", "0x00"],
      value: ["0x01", ...Array.from({ length: 7 }, () => "0x00")],
    });
    expect(new Date(put.time).getTime()).toBeGreaterThan(0);
  });

  it("chooses keys by --prefix and leaves values out with --keys-only", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.updateMany([
      [u32(1), u64(1)],
      [u32(2), u64(2)],
    ]);
    const args = ["map", "watch", "id", `${map.id}`, "--keys-only", "--count", "1"];
    const { stdout } = await ctl(daemon, [...args, "--prefix", "hex 02"]);
    expect(stdout.replace(TIME, "")).toBe("init    key 02 00 00 00\n");
  });

  it("adds the values of CPUs up with --sum", async () => {
    const map = await makeMap(daemon, shapeOf("PERCPU_HASH"));
    await map.handle.update(u32(1), Buffer.concat([u64(3), u64(4)]));
    const text = await mustCtl(daemon, `map watch id ${map.id} --sum u64 --count 1`);
    expect(text).toContain("value 07 00");
    const whole = await mustCtl(daemon, `map watch id ${map.id} --count 1`);
    expect(whole).toContain("value cpu0 03 00 00 00 00 00 00 00 cpu1 04 00");
  });

  it("ends with 0 when the map is gone, and says so", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const watching = ctl(daemon, ["map", "watch", "id", `${map.id}`, "--interval", "20ms"]);
    const watch = map.handle.watch();
    for await (const { type } of watch) if (type === "synced") break;
    await daemon.client.maps.releaseMap({ name: map.hold });
    await daemon.client.maps.unpinMap({ path: map.pinPath });
    const { code, stderr } = await watching;
    expect(code).toBe(0);
    expect(stderr).toContain(`map id ${map.id} is gone`);
  });

  it("ends with 130 when interrupted, and with 2 where there is no such map", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const [program, ...args] = ctlCommand(daemon, ["map", "watch", "id", `${map.id}`]);
    const child = spawn(program!, args, { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (data) => {
      stderr += data;
    });
    // The line that says what is watched.
    await once(child.stderr, "data");
    child.kill("SIGINT");
    expect((await once(child, "close"))[0]).toBe(130);
    expect(stderr).not.toContain("Error");
    expect((await ctl(daemon, ["map", "watch", "id", "2147483647"])).code).toBe(2);
  });
});

describe("map watch of a daemon that is killed", () => {
  it("says that it tries again, goes on when the daemon is back, and can be interrupted before", async () => {
    const daemon = await startDaemon();
    const map = await makeMap(daemon, shapeOf("HASH"));
    const [program, ...args] = ctlCommand(daemon, ["map", "watch", "id", `${map.id}`]);
    const [lasting, interrupted] = [1, 2].map(() =>
      spawn(program!, args, { stdio: ["ignore", "pipe", "pipe"] }),
    );
    await Promise.all([lasting!, interrupted!].map((child) => untilSays(child, "complete")));
    const lost = [lasting!, interrupted!].map((child) => untilSays(child, "trying again"));
    await daemon.kill();
    await Promise.all(lost);
    interrupted!.kill("SIGINT");
    expect((await once(interrupted!, "exit"))[0]).toBe(130);
    const told = once(lasting!.stdout, "data");
    await daemon.restart();
    await map.handle.update(u32(1), u64(1));
    expect(String((await told)[0])).toContain("key 01 00 00 00");
    lasting!.kill("SIGINT");
    expect((await once(lasting!, "exit"))[0]).toBe(130);
  });
});

/** Waits until a process prints a text to standard error. */
async function untilSays({ stderr }: ChildProcess, text: string): Promise<void> {
  let said = "";
  while (!said.includes(text)) said += (await once(stderr!, "data"))[0];
}

describe("map top", () => {
  it("prints the counters that changed, fastest first", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.updateMany([1, 2, 3].map((key) => [u32(key), u64(100)] as const));
    const stop = counting(async (round) => {
      await map.handle.update(u32(1), u64(100 + round));
      await map.handle.update(u32(2), u64(100 + 50 * round));
    });
    const text = await mustCtl(daemon, `map top id ${map.id} --interval 200ms --once`);
    await stop();
    const [head, summary, , titles, ...rows] = lines(text);
    expect(head).toBe(`map id ${map.id} (${map.name})  hash`);
    expect(summary).toContain("3 elements  2 changed");
    expect(titles).toMatch(/^ *RATE\/s .* VALUE {2}KEY$/);
    expect(rows.map((row) => row.slice(-11))).toEqual(["02 00 00 00", "01 00 00 00"]);
  });

  it("prints one JSON object a measurement with -j, with sums over the CPUs", async () => {
    const map = await makeMap(daemon, shapeOf("PERCPU_HASH"));
    const stop = counting((round) =>
      map.handle.update(u32(1), Buffer.concat([u64(round), u64(round)])),
    );
    const text = await mustCtl(daemon, `-j map top id ${map.id} --interval 200ms --iterations 3`);
    await stop();
    const measurements = lines(text).map((line) => JSON.parse(line));
    expect(measurements).toHaveLength(3);
    for (const { map_id, top } of measurements) {
      expect(map_id).toBe(map.id);
      expect(top[0].value % 2).toBe(0);
      expect(top[0].rate).toBeGreaterThan(0);
    }
  });

  it("shows fewer rows with --limit", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const stop = counting((round) =>
      map.handle.updateMany([1, 2, 3].map((key) => [u32(key), u64(round * key)] as const)),
    );
    const text = await mustCtl(daemon, `map top id ${map.id} --interval 200ms --once --limit 1`);
    await stop();
    expect(lines(text)).toHaveLength(5);
  });

  it.each(["8", "8/2", "x/8", "-1/8", "8/8/8"])("refuses --field %s", (text) => {
    expect(() => parseField(text)).toThrow(/OFFSET\/SIZE/);
  });

  it("refuses a field that does not lie in the value", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const args = ["map", "top", "id", `${map.id}`, "--once", "--field", "4/8"];
    const { code, stderr } = await ctl(daemon, args);
    expect(code).toBe(1);
    expect(stderr).toContain("does not lie in values of 8 bytes");
  });
});

describe("a table of rates", () => {
  const key = Buffer.from([1]);

  it("tells nothing at the first measurement, then what came a second", () => {
    const table = new RateTable(64);
    table.set(key, 100n, true);
    expect(table.measure(1000)).toBeUndefined();
    table.set(key, 160n, false);
    expect(table.measure(3000)).toEqual([{ key, value: 160n, perSecond: 30 }]);
    expect(table.measure(4000)).toEqual([]);
  });

  it("takes an element that comes later to have begun at zero", () => {
    const table = new RateTable(64);
    table.measure(0);
    table.set(key, 5n, false);
    expect(table.measure(1000)).toEqual([{ key, value: 5n, perSecond: 5 }]);
  });

  it("takes a counter that begins anew for one that went on, and a small step back for one", () => {
    const table = new RateTable(32);
    table.set(key, 0xffff_fffen, true);
    table.measure(0);
    table.set(key, 3n, false);
    expect(table.measure(1000)?.[0]?.perSecond).toBe(5);
    table.set(key, 1n, false);
    expect(table.measure(2000)?.[0]?.perSecond).toBe(-2);
  });

  it("forgets what is deleted", () => {
    const table = new RateTable(64);
    table.set(key, 1n, true);
    table.measure(0);
    table.delete(key);
    expect(table.measure(1000)).toEqual([]);
    expect(table.size).toBe(0);
  });
});

/** Counts on and on until the answer is called. */
function counting(count: (round: number) => Promise<unknown>): () => Promise<void> {
  let isOn = true;
  const running = (async () => {
    for (let round = 1; isOn; round++) {
      await count(round);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return async () => {
    isOn = false;
    await running;
  };
}
